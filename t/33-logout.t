#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# Logging out in one place ends it in the others; and nobody but the user can make them log out.

use strict;
use warnings;
use FindBin qw($Bin);
use lib "$Bin/lib";
use JSON::PP;
use Test::More;
use Mnet::Browser;
use Mnet::Network;

my $n = Mnet::Network->start(sites => 3, site_config => sub {
    my ($net, $h, $i) = @_;
    my $logout = "<Location /mnet/logout>\nSetHandler mnet-logout\n</Location>\n";
    return $logout . "<Location /in>\nAuthType Mnet\nMnetLogin " . $h->wwwroot(0) . "\nRequire valid-user\n</Location>\n" if $i;
    # At the provider the logout page must know whom httpd authenticated.
    return Mnet::Network::identity_provider($h) . "<Location /mnet/logout>\nSetHandler mnet-logout\nAuthType Basic\nAuthName users\n"
        . "AuthBasicProvider file\nAuthUserFile conf/users\nRequire valid-user\n</Location>\n";
});
my $h = $n->harness;
my @root = map { $n->wwwroot($_) } 0 .. 2;

sub browser {
    my ($user, %o) = @_;
    my $b = Mnet::Browser->new(user => "$user:secret", realm => $root[0], %o);
    $b->follow($n->jump(0, $_, '/')) for 1, 2;
    return $b;
}

sub user_at {
    my ($b, $i) = @_;
    my $info = decode_json($b->get("$root[$i]/mnet/hosts?format=json")->{content});
    return $info->{user} ? $info->{user}{username} : undef;
}

subtest 'a link of our own' => sub {
    my $b = browser('alice');
    is(user_at($b, $_), 'alice', "alice is at $_") for 1, 2;
    my $link = decode_json($b->get("$root[1]/mnet/hosts?format=json")->{content})->{logout};
    is($link, "$root[1]/mnet/logout", 'the page of peers has the link');
    my $got = $b->get($link, 'Sec-Fetch-Site' => 'same-origin');
    is($got->{status}, 200, 'it works');
    like($got->{content}, qr/You are logged out/, '  and says so');
    like($got->{content}, qr{href="\Q$root[0]\E/"}, '  with the way back');
    is($got->{headers}{'cache-control'}, 'no-store', '  not to be kept');
    is(scalar @{ $got->{cookies} }, 1, 'the cookie is removed');
    is($got->{cookies}[0]{value}, '', '  empty');
    like($got->{cookies}[0]{'max-age'}, qr/^0$/, '  at once');
    is($got->{cookies}[0]{path}, '/', '  from the path it was set for');
    is(user_at($b, 1), undef, 'alice is gone there');
    is(user_at($b, 2), undef, '  and from where else she had gone, for the provider told it');
    ok($h->wait_log(qr/kill_children by \Q$root[1]\E/), 'the provider was told');
    ok($h->wait_log(qr/kill_child by \Q$root[0]\E/), '  and told the other');
    $got = $b->get($link, 'Sec-Fetch-Site' => 'same-origin');
    is($got->{status}, 200, 'once more: nothing breaks');
};

subtest 'at the provider' => sub {
    my $b = browser('alice');
    my $other = browser('bob');
    my $got = $b->get("$root[0]/mnet/logout", 'Sec-Fetch-Site' => 'none');
    is($got->{status}, 200, 'logged out at the provider') or diag $got->{content};
    is(user_at($b, $_), undef, "  ends it at $_") for 1, 2;
    is(user_at($other, $_), 'bob', "  and leaves bob at $_") for 1, 2;
    is(Mnet::Browser->new->get("$root[0]/mnet/logout")->{status}, 401, 'nobody logs out whom httpd does not know there');
};

subtest 'not by another site' => sub {
    my $b = browser('alice');
    for my $case (['an image' => 'Sec-Fetch-Site' => 'cross-site', 'Sec-Fetch-Dest' => 'image'], ['a link' => 'Sec-Fetch-Site' => 'cross-site'],
        ['a sibling' => 'Sec-Fetch-Site' => 'same-site'], ['another Referer' => Referer => 'https://evil.example/'],
        ['one that only begins so' => Referer => "$root[1].evil.example/"], ['no word of it' => Accept => 'text/html'],
        ['another origin' => Origin => 'https://evil.example', Referer => "$root[1]/x"]) {
        my ($what, %headers) = @$case;
        my $got = $b->get("$root[1]/mnet/logout?wantsurl=/bye", %headers);
        is($got->{status}, 200, "$what: a page");
        like($got->{content}, qr{<form method="post" action="/mnet/logout\?wantsurl=/bye">}, '  with a button');
        is_deeply($got->{cookies}, [], '  and no cookie is touched');
        is(user_at($b, 1), 'alice', '  and the session stays');
    }
    like($b->get("$root[1]/mnet/logout?x=\"><script>alert(1)</script>")->{content}, qr{^(?!.*<script)}s, 'nothing of the query becomes HTML');
    my $got = $b->post("$root[1]/mnet/logout", '', 'Sec-Fetch-Site' => 'cross-site');
    like($got->{content}, qr{<form}, "another site's POST: the button again");
    is($b->post("$root[1]/mnet/logout", '', Origin => 'https://evil.example')->{content} =~ /<form/, 1, '  by its Origin, too');
    is(user_at($b, 1), 'alice', '  and the session stays');
    is($b->request('HEAD', "$root[1]/mnet/logout", undef, 'Sec-Fetch-Site' => 'same-origin')->{status}, 200, 'HEAD');
    is($b->request('DELETE', "$root[1]/mnet/logout", undef)->{status}, 405, 'DELETE: 405');
    is(user_at($b, 1), 'alice', '  end nothing');
    $got = $b->post("$root[1]/mnet/logout?wantsurl=/bye", '', Origin => $root[1], 'Sec-Fetch-Site' => 'same-origin');
    is($got->{status}, 303, 'the button itself');
    is($got->{location}, "$root[1]/bye", '  leads to wantsurl');
    is(user_at($b, 1), undef, '  and the session is over');
};

subtest 'where a logout leads' => sub {
    for my $wants ('//evil.example', 'http://evil.example', '/%0d%0aX: y', '/\\evil') {
        my $b = browser('carol');
        my $got = $b->get("$root[1]/mnet/logout?wantsurl=" . Mnet::Network::escape($wants), Referer => "$root[1]/x");
        is($got->{status}, 200, "$wants: only our page");
        is(user_at($b, 1), undef, '  logged out all the same');
    }
};

subtest 'several browsers' => sub {
    my ($one, $two) = (browser('alice', agent => 'One/1'), browser('alice', agent => 'Two/2'));
    $one->get("$root[1]/mnet/logout", Referer => "$root[1]/");
    is(user_at($one, $_), undef, "logged out in one browser: gone at $_") for 1, 2;
    is(user_at($two, 1), 'alice', 'the other browser stays at the site');
};

subtest 'a peer that is down' => sub {
    $h->configure(config => "MnetTimeout 2s\n", site_config => sub {
        my ($harness, $i) = @_;
        my $logout = "<Location /mnet/logout>\nSetHandler mnet-logout\n</Location>\n";
        return Mnet::Network::peers($n, $harness, $i) =~ s/(<MnetPeer "\Q$root[0]\E">)/$1\nMnetPeerEndpoint \${DOWN}/r . $logout if $i;
        return Mnet::Network::peers($n, $harness, $i) . Mnet::Network::identity_provider($harness);
    });
    $h->configure(config => "MnetTimeout 2s\nDefine DOWN $root[0]\n");
    $h->graceful;
    my $b = browser('carol');
    is(user_at($b, 1), 'carol', 'carol is there');
    $h->configure(config => "MnetTimeout 2s\nDefine DOWN http://127.0.0.1:1\n");
    $h->graceful;
    my $got = $b->get("$root[1]/mnet/logout?wantsurl=/bye", Referer => "$root[1]/");
    is($got->{status}, 200, 'a provider that is down does not hinder') or diag explain $got;
    like($got->{content}, qr{could not be told.*href="\Q$root[0]\E/"}s, '  but the user is told where to log out as well');
    is(user_at($b, 1), undef, '  and is logged out here');
};

$h->stop;
done_testing;
