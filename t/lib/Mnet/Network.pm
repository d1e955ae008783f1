# SPDX-License-Identifier: Apache-2.0
package Mnet::Network;

# Several sites in one httpd, each the peer of each other with sso_idp and sso_sp both ways: what the
# tests of sign-on start from.
#
#   my $n = Mnet::Network->start(sites => 2, site_config => [$text0, $text1],
#                                services => 'sso_idp sso_sp' (or sub { ($i, $j) }), peer_lines => sub { ($i, $j) }, harness => {...});
#   $n->harness, $n->wwwroot($i), $n->basic($user, ...)     a password file: user => password
#   $n->jump($i, $j, $wantsurl)          the URL of a link at site i to site j
#   $n->identity_provider($path)         the configuration of a jump page whose users are Basic's
#   Users are alice (Alice Ångström), bob, carol, each with the password secret.

use strict;
use warnings;
use utf8;
use Digest::SHA qw(sha1_base64);
use Encode qw(encode_utf8);
use Mnet::Harness;

my @MODULES = qw(alias auth_basic authn_file authz_user authz_host dir mime headers env setenvif cgid rewrite);

sub start {
    my ($class, %o) = @_;
    my $self = bless { services => 'sso_idp sso_sp', sites => 2, %o }, $class;
    my $given = $o{site_config} || [];
    my $more = $o{harness} || {};
    $self->{harness} = Mnet::Harness->new(sites => $self->{sites}, modules => [@MODULES, @{ delete $more->{modules} || [] }],
        config => "MnetTimeout 5s\n" . ($o{config} || ''), %$more,
        site_config => sub {
            my ($h, $i) = @_;
            my $text = ref $given eq 'CODE' ? $given->($self, $h, $i) : $given->[$i];
            return $self->peers($h, $i) . ($text // '');
        });
    $self->configure_users;
    # Under prefork each connection that sites keep to one another has a process of its own.
    $self->{harness}->expect_log(qr/AH00161/);
    $self->{harness}->start;
    $self->join_all;
    return $self;
}

sub peers {
    my ($self, $h, $i) = @_;
    my $text = '';
    for my $j (grep { $_ != $i } 0 .. $self->{sites} - 1) {
        my $more = $self->{peer_lines} ? $self->{peer_lines}->($i, $j) : '';
        my $services = ref $self->{services} ? $self->{services}->($i, $j) : $self->{services};
        $text .= "<MnetPeer \"" . $h->wwwroot($j) . "\">\nMnetPublish $services\nMnetSubscribe $services\n"
            . "$more\n</MnetPeer>\n";
    }
    return $text;
}

sub configure_users {
    my ($self) = @_;
    Mnet::Harness::write_file($self->{harness}->root . '/conf/users',
        join '', map { "$_:{SHA}" . sha1_base64('secret') . "=\n" } qw(alice bob carol));
    return;
}

# Each fetches the other's certificate; an administrator confirms it.
sub join_all {
    my ($self) = @_;
    my $h = $self->{harness};
    for my $i (0 .. $self->{sites} - 1) {
        for my $j (grep { $_ != $i } 0 .. $self->{sites} - 1) {
            my $got = $h->mnetctl('-w', $h->wwwroot($i), qw(peers confirm --yes), $h->wwwroot($j));
            die "not joined: $got->{out}$got->{err}" if $got->{exit};
        }
    }
    return;
}

sub harness { return $_[0]{harness} }
sub wwwroot { my ($self, $i) = @_; return $self->{harness}->wwwroot($i) }

sub escape {
    my ($text) = @_;
    $text = encode_utf8($text) if utf8::is_utf8($text);
    $text =~ s{([^A-Za-z0-9._~-])}{sprintf '%%%02X', ord $1}ge;
    return $text;
}

sub jump {
    my ($self, $i, $j, $wants) = @_;
    return $self->wwwroot($i) . '/auth/mnet/jump.php?hostwwwroot=' . escape($self->wwwroot($j))
        . (defined $wants ? '&wantsurl=' . escape($wants) : '');
}

# A jump page for users of a password file, with what a peer needs to know of them.
sub identity_provider {
    my ($h, $more) = @_;
    my $below = $h->{path} // '';
    return encode_utf8(<<"CONF") . ($more // '') . "\n</Location>\n";
<Location "$below/auth/mnet/jump.php">
    AuthType Basic
    AuthName "users"
    AuthBasicProvider file
    AuthUserFile "@{[ $h->root ]}/conf/users"
    Require valid-user
    MnetIdentityProvider On
    MnetAttribute firstname "%{REMOTE_USER}"
    MnetAttribute lastname  "Ångström"
    MnetAttribute email     "%{REMOTE_USER}\@example.org"
CONF
}

1;
