#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# Three sites of one address and port, by name and by path: whoever is signed on at one of them is
# nobody at the others, whatever their browser sends.

use strict;
use warnings;
use FindBin qw($Bin);
use lib "$Bin/lib";
use HTTP::Tiny;
use MIME::Base64 qw(encode_base64);
use Test::More;
use Mnet::Harness;
use Mnet::Network;

my $SERVICES = "MnetPublish sso_idp sso_sp\nMnetSubscribe sso_idp sso_sp\n";

my $h = Mnet::Harness->new(sites => 2, config => "MnetTimeout 5s\n", modules => [qw(auth_basic authn_file authz_user)],
    site_config => sub {
        my ($harness, $i) = @_;
        return $i ? '' : Mnet::Network::identity_provider($harness)
            . join '', map { "<MnetPeer \"$_\">\n$SERVICES</MnetPeer>\n" } roots($harness);
    },
    extra => sub {
        my ($harness) = @_;
        my $port = $harness->port(1);
        return join '', map { my ($root) = $_; my ($name, $path) = $root =~ m{^http://([^:/]+):\d+(.*)}; <<"HOST" } roots($harness);
<VirtualHost 127.0.0.1:$port>
    ServerName $name
    DocumentRoot @{[ $harness->htdocs(1) ]}
    MnetEngine On
    MnetWwwroot $root
    <MnetPeer "@{[ $harness->wwwroot(0) ]}">
        $SERVICES
    </MnetPeer>
    <Location "$path/mnet/logout">
        SetHandler mnet-logout
    </Location>
    <Location "$path/in">
        AuthType Mnet
        Require valid-user
    </Location>
</VirtualHost>
HOST
    });

# Names below localhost are this machine (RFC 6761, 6.3).
sub roots {
    my ($harness) = @_;
    my $port = $harness->port(1);
    return ("http://a.localhost:$port", "http://b.localhost:$port", "http://c.localhost:$port/school");
}

bless(my $users = { harness => $h }, 'Mnet::Network')->configure_users;
for my $path (qw(in school/in)) {
    system('mkdir', '-p', $h->htdocs(1) . "/$path") == 0 or die 'mkdir';
    Mnet::Harness::write_file($h->htdocs(1) . "/$path/page.html", 'inside');
}
$h->start;
my @root = roots($h);
for my $root (@root) {
    for my $pair ([$h->wwwroot(0), $root], [$root, $h->wwwroot(0)]) {
        my $got = $h->mnetctl('-w', $pair->[0], qw(peers confirm --yes), $pair->[1]);
        is($got->{exit}, 0, "$pair->[0] knows $pair->[1]") or diag $got->{out}, $got->{err};
    }
}

sub get {
    my ($url, %headers) = @_;
    return HTTP::Tiny->new(max_redirect => 0, timeout => 30)
        ->request(GET => $url, { peer => '127.0.0.1', headers => { Accept => 'text/html', 'User-Agent' => 'Test', %headers } });
}

# The cookie that a sign-on gives: name=value, and its other words.
sub sign_on {
    my ($root) = @_;
    my $jump = get($h->wwwroot(0) . '/auth/mnet/jump.php?hostwwwroot=' . Mnet::Network::escape($root) . '&wantsurl=/in/page.html',
        Authorization => 'Basic ' . encode_base64('alice:secret', ''));
    my $land = get($jump->{headers}{location});
    is($land->{headers}{location}, "$root/in/page.html", "alice lands at $root");
    return split /; /, $land->{headers}{'set-cookie'}, 2;
}

my (@cookie, @words);
for my $i (0 .. 2) {
    ($cookie[$i], $words[$i]) = sign_on($root[$i]);
}
is($words[0] =~ /Domain/i ? 'a domain' : 'none', 'none', 'the cookie is for its host alone');
like($words[2], qr{Path=/school;}, 'and for its path');

for my $i (0 .. 2) {
    is(get("$root[$i]/in/page.html", Cookie => $cookie[$i])->{content}, 'inside', "it opens $root[$i]");
    for my $j (grep { $_ != $i } 0 .. 2) {
        my $got = get("$root[$j]/in/page.html", Cookie => $cookie[$i]);
        is($got->{status}, 303, "  and not $root[$j]");
    }
}
my $all = join '; ', @cookie;
is(get("$root[1]/in/page.html", Cookie => $all)->{content}, 'inside', 'among those of the others a site finds its own');

my $out = HTTP::Tiny->new(max_redirect => 0)->request(POST => "$root[0]/mnet/logout",
    { peer => '127.0.0.1', headers => { Cookie => $all, Origin => $root[0], 'User-Agent' => 'Test' } });
is($out->{status}, 200, 'alice logs out at the first');
is(get("$root[$_]/in/page.html", Cookie => $all)->{status}, 303, "  and is out at $root[$_]") for 0 .. 2;
$h->stop;
done_testing;
