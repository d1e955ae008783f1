# SPDX-License-Identifier: Apache-2.0
package Mnet::SignOn;

# A site joined to peers in PHP (Mnet::Joined), with a jump page for users of a password file and an
# application that says what it was told: what the tests of sign-on with other software start from.
#
#   my $t = Mnet::SignOn->start(styles => [...], peers => {...}, sites => 1, site => $text or sub {($h, $i)},
#                               modules => [...], harness => {...});
#   $t->visitor(%o)                  a Mnet::Browser
#   $t->sign_on('moodle', $user, $path, $browser)   from the peer's login form to the end of redirects
#   $t->leave('moodle', $browser, $path, %profile)  the answer of our jump page, as alice
#   $t->token($got)                  the token in the answer of a jump page
#   $t->told($got)                   what /app or /headers told: { REMOTE_USER => ..., MNET_... }
#   $t->noted                        the ids of sign-on (MNET08..) logged since mark, in their order
#
# A file pictures/USER in the server's root is that user's picture.
#
# /app and /headers want a session and pass variables or headers, /open has MnetAuthOptional, /out
# logs out a user of the password file, /mnet/logout one who came from a peer.

use strict;
use warnings;
use utf8;
use parent 'Mnet::Joined';
use Digest::SHA qw(sha1_base64 sha1_hex);
use Encode qw(decode_utf8 encode_utf8);
use MIME::Base64 qw(encode_base64);
use Mnet::Browser;
use Mnet::Harness;

my $AGENT = 'Mnet-Test/1.0';
my $WHO = <<'CGI';
print "Content-Type: text/plain; charset=utf-8\r\nCache-Control: no-store\r\n\r\n";
print map { my $v = $ENV{$_}; $v =~ s/\n/\\n/g; "$_=$v\n" }
    grep { /^(?:MNET_|HTTP_X|REMOTE_USER|AUTH_TYPE|QUERY_STRING|PATH_INFO)/ } sort keys %ENV;
CGI

sub start {
    my ($class, %o) = @_;
    my $more = $o{harness} || {};
    my @modules = qw(alias auth_basic authn_file authz_user authz_host env headers setenvif mime dir cgid);
    return $class->SUPER::start(%o, harness => { sites => $o{sites} || 1,
        modules => [@modules, @{ $o{modules} || [] }], %$more, site_config => sub {
            my ($h, $i) = @_;
            return site_text($h, $i) . (ref $o{site} ? $o{site}->($h, $i) : $o{site} // '');
        } });
}

sub basic {
    my ($h) = @_;
    return "AuthType Basic\nAuthName users\nAuthBasicProvider file\nAuthUserFile " . $h->root
        . "/conf/users\nRequire valid-user\n";
}

sub site_text {
    my ($h, $i) = @_;
    my ($root, $basic) = ($h->root, basic($h));
    Mnet::Harness::write_file("$root/conf/users", join '', map { "$_:{SHA}" . sha1_base64('secret') . "=\n" }
        qw(alice bob carol));
    my $cgi = "$root/who.cgi";
    Mnet::Harness::write_file($cgi, "#!/usr/bin/perl\n$WHO");
    chmod 0755, $cgi;
    return <<"CONF" . join '', map { "ScriptAlias $_ $cgi\n" } qw(/app /headers /open);
<Location /auth/mnet/jump.php>
    $basic
    MnetIdentityProvider On
    MnetAttribute firstname "%{unbase64:%{HTTP:X-First}}"
    MnetAttribute lastname "%{unbase64:%{HTTP:X-Last}}"
    MnetAttribute email "%{REMOTE_USER}\@example.org"
    MnetAttribute city "%{unbase64:%{HTTP:X-City}}"
    MnetUserImage "$root/pictures/%{REMOTE_USER}"
</Location>
<Location /app>
    AuthType Mnet
    Require valid-user
</Location>
<Location /headers>
    AuthType Mnet
    Require valid-user
    MnetPassAttributes headers
</Location>
<Location /open>
    AuthType Mnet
    MnetAuthOptional On
    Require all granted
</Location>
<Location /out>
    $basic
    SetHandler mnet-logout
</Location>
<Location /mnet/logout>
    SetHandler mnet-logout
</Location>
CONF
}

sub visitor {
    my ($self, %o) = @_;
    return Mnet::Browser->new(agent => $AGENT, %o);
}

sub agent_hash { my ($self, $agent) = @_; return sha1_hex($agent // $AGENT) }

sub sign_on {
    my ($self, $name, $user, $path, $browser) = @_;
    my $peer = $self->peer($name);
    $browser ||= $self->visitor;
    $peer->enter($browser, $user);
    return $browser->follow($peer->jump_url($self->site, $path // '/app'));
}

sub jump_url {
    my ($self, $to, $wants, $i) = @_;
    return $self->harness->wwwroot($i // 0) . '/auth/mnet/jump.php?hostwwwroot=' . Mnet::PhpPeer::escape($to)
        . (defined $wants ? '&wantsurl=' . Mnet::PhpPeer::escape($wants) : '');
}

sub base64 { my ($text) = @_; return encode_base64(encode_utf8($text), '') }

sub leave {
    my ($self, $name, $browser, $path, %profile) = @_;
    my $user = delete $profile{user} // 'alice';
    local $browser->{user} = "$user:secret";
    local $browser->{realm};
    return $browser->get($self->jump_url($self->peer($name)->wwwroot, $path, delete $profile{site}),
        'X-First' => base64($profile{first} // 'Alice'), 'X-Last' => base64($profile{last} // 'Ångström'),
        'X-City' => base64($profile{city} // 'Göteborg'));
}

sub token {
    my ($self, $got) = @_;
    return ($got->{location} // '') =~ /[?&]token=([0-9a-f]+)/ ? $1 : undef;
}

sub told {
    my ($self, $got) = @_;
    return { map { /^(\w+)=(.*)$/ ? ($1 => $2) : () } split /\n/, decode_utf8($got->{content}) };
}

sub noted {
    my ($self) = @_;
    return map { /\b(MNET08\d\d)\b/ ? $1 : () } $self->lines;
}

1;
