#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# The edges of sign-on: what a student is shown when it fails, a browser that keeps no cookies, peers
# that were down at a logout, the sites of a user's home, pictures.

use strict;
use warnings;
use utf8;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Encode qw(decode_utf8 encode_utf8);
use JSON::PP;
use MIME::Base64 qw(decode_base64);
use Test::More;
use Mnet::Browser;
use Mnet::Network;

binmode Test::More->builder->$_, ':encoding(UTF-8)' for qw(output failure_output);

my $n = Mnet::Network->start(sites => 3, config => "MnetTimeout 2s\n", site_config => sub {
    my ($net, $h, $i) = @_;
    my $name = encode_utf8('Schule Nº ' . ($i + 1));
    my $basic = "AuthType Basic\nAuthName users\nAuthBasicProvider file\nAuthUserFile \"" . $h->root . "/conf/users\"\nRequire valid-user\n";
    return "MnetSiteName \"$name\"\n<Location /in>\nAuthType Mnet\nRequire valid-user\n</Location>\n"
        . ($i ? "<Location /in>\nMnetLogin " . $h->wwwroot(0) . "\n</Location>\n" : '')
        . "<Location /no>\nAuthType Mnet\nRequire user nobody\n</Location>\n"
        . "<Location /own>\nAuthType Mnet\nRequire user nobody\nErrorDocument 403 \"our own words\"\n</Location>\n"
        . "<Location /mnet/logout>\nSetHandler mnet-logout\n" . ($i ? '' : $basic) . "</Location>\n"
        . Mnet::Network::identity_provider($h, $i ? '' : 'MnetUserImage "' . $h->root . '/pictures/%{REMOTE_USER}.jpg"');
});
my $h = $n->harness;
$h->expect_log(qr/\[authz_core:error\]/);
my ($idp, $sp, $third) = map { $n->wwwroot($_) } 0 .. 2;
for my $i (0 .. 2) {
    mkdir $h->htdocs($i) . "/$_" for qw(in no own);
    Mnet::Harness::write_file($h->htdocs($i) . "/$_/index.html", "hello $_") for qw(in no own);
}

sub browser {
    my ($user, %o) = @_;
    return Mnet::Browser->new(user => "$user:secret", realm => $idp, %o);
}

# A page that a student can read.
sub is_plain {
    my ($got, $what) = @_;
    my $text = decode_utf8($got->{content}) =~ s/&#(\d+);/chr $1/ger;
    like($text, qr/\A<!DOCTYPE html>\n<html lang="en">/, "$what: a page with its language");
    like($text, qr{<title>([^<]+)</title>.*<h1>\1</h1>}s, '  a title, which is its heading');
    like($text, qr/name="viewport"/, '  for small screens');
    unlike($text, qr/<script|javascript:|<img|<link/i, '  of nothing but itself');
    like($text, qr{<a href=|<button>}, '  with a way on');
    like($text, qr{tell them this code: <code>[^<]+</code>}, '  and a code') if $got->{status} >= 400;
    unlike($text =~ s{"[^"]*"|<code>.*?</code>}{}gr, qr/127\.0\.0\.1:\d/, '  no host:port to read');
    return $text;
}

subtest 'what a student is shown' => sub {
    my $b = browser('alice');
    my $got = $b->get("$sp/auth/mnet/land.php?token=" . 'a' x 40 . "&idp=$idp&wantsurl=/");
    is($got->{status}, 403, 'a token that nobody made');
    my $text = is_plain($got, 'a landing that failed');
    like($text, qr{<a href="\Q$idp\E/">Back to Schule Nº 1</a>}, '  the way back, by name');
    like($text, qr{<a href="\Q$sp\E/">To the first page of Schule Nº 2</a>}, '  and the way on');
    $text = is_plain($b->get("$sp/auth/mnet/land.php?idp=$idp"), 'no token');
    like($text, qr{Back to Schule Nº 1}, '  the way back all the same');
    $text = is_plain($b->get("$sp/auth/mnet/land.php?token=a&idp=https://evil.example"), 'an unknown provider');
    unlike($text, qr{evil\.example}, '  no link to whom we do not know');
    is_plain($b->get("$idp/auth/mnet/jump.php?hostwwwroot=http://evil.example"), 'a jump to nowhere');
    is_plain($b->request('POST', "$sp/auth/mnet/land.php", ''), 'a POST');

    $b->follow($n->jump(0, 1, '/'));
    $text = is_plain($b->get("$sp/mnet/hosts"), 'the page of sites');
    like($text, qr{>Back to Schule Nº 1</a>}, '  says where they came from');
    is(decode_json($b->get("$sp/mnet/hosts?format=json")->{content})->{from}{name}, 'Schule Nº 1', '  and in JSON');
    $got = $b->get("$sp/no/index.html");
    is($got->{status}, 403, 'a page that is not for them');
    $text = is_plain($got, '  ...');
    like($text, qr{You may not see this page.*alice.*Back to Schule Nº 1}s, '  says who they are, and the ways on');
    is($got->{headers}{'cache-control'}, 'no-store', '  kept by no cache');
    is($b->get("$sp/own/index.html")->{content}, 'our own words', "an ErrorDocument is the administrator's");
    unlike($b->get("$sp/no/index.html", Accept => 'application/json')->{content}, qr/Schule/, 'a program gets no page of ours');
    $text = is_plain($b->get("$sp/mnet/logout", Referer => "$sp/"), 'logged out');
    like($text, qr{>Back to Schule Nº 1</a>}, '  the way back');
    is_plain(Mnet::Browser->new->get("$sp/mnet/hosts"), 'nobody on the page of sites');
};

subtest 'a browser that keeps no cookies' => sub {
    my $b = browser('alice', agent => 'Cookieless/1');
    my ($url, @trail, $got) = ("$sp/in/index.html?a=b&c=%26d");
    for (1 .. 10) {
        $got = $b->get($url);
        push @trail, $url;
        $b->forget;
        last if $got->{status} != 303;
        $url = $got->{location};
    }
    is($got->{status}, 403, 'it is not sent round for ever') or diag explain \@trail;
    my $text = is_plain($got, 'what it is told');
    like($text, qr/keeps no cookies/, '  the reason');
    like($text, qr{<a href="\Q$sp\E/in/index\.html\?a=b&amp;c=%26d">Try again</a>}, '  and a link to where it was going');
    ok($h->wait_log(qr/MNET0896/), '  and a line');
    unlike($trail[1], qr/mnet-again/, 'the first try is as ever');
    my ($other) = grep { /mnet-again/ } @trail;
    $b = browser('bob', agent => 'Cookieless/1');
    $got = $b->follow("$sp/in/index.html?a=b&c=%26d");
    is($got->{status}, 200, 'one that keeps them, from the same address, is led on');
    is($got->{url}, "$sp/in/index.html?a=b&c=%26d", '  to the very address');
    like($got->{content}, qr/hello in/, '  which is the page');
    unlike(join(' ', @{ $got->{trail} }), qr/evil/, '');
    $got = $b->get("$sp/in/index.html?mnet-again=1");
    is($got->{location}, "$sp/in/index.html", 'the mark goes, whoever put it there');
    $got = Mnet::Browser->new(agent => 'Fresh/1')->get("$sp/in/index.html?mnet-again=1&x=//evil.example");
    is($got->{status}, 303, 'with it and without a session: to log in');
    unlike(Mnet::Network::escape($got->{location}), qr/mnet-again/, '  and it is taken off');
    for (1 .. 4) {
        $b = browser('alice', agent => 'Kept/1');
        $got = $b->follow("$sp/in/index.html");
        is($got->{status}, 200, 'a browser that keeps cookies');
        unlike("@{ $got->{trail} }", qr/mnet-again/, '  never meets the mark, how often it signs on');
    }
};

subtest 'pictures' => sub {
    my $call = sub {
        my ($from, $user) = @_;
        my $got = $h->mnetctl('--json', '-w', $n->wwwroot($from), 'call', $idp, 'auth/mnet/auth.php/fetch_user_image', encode_json([$user]) =~ s/^\[|\]$//gr);
        return $got->{exit} ? "$got->{out}$got->{err}" : JSON::PP->new->allow_nonref->decode($got->{out});
    };
    mkdir $h->root . '/pictures';
    my $png = "\x89PNG\r\n\x1a\n" . join('', map { chr rand 256 } 1 .. 5000);
    Mnet::Harness::write_file($h->root . '/pictures/alice.jpg', $png);
    Mnet::Harness::write_file($h->root . '/pictures/bob.jpg', "<svg onload='alert(1)'/>");
    Mnet::Harness::write_file($h->root . '/pictures/carol.jpg', "\x89PNG\r\n\x1a\n" . 'x' x (512 * 1024));
    browser($_)->follow($n->jump(0, 1, '/')) for qw(alice bob carol);
    my $got = $call->(1, 'alice');
    $got = $got->{result} if ref $got eq 'HASH' && exists $got->{result};
    is_deeply([sort keys %$got], ['f1', 'f1_mimetype'], 'the peer that the user is at gets a picture') or diag explain $got;
    is($got->{f1_mimetype}, 'image/png', '  of the type that it is, whatever its name');
    is(decode_base64($got->{f1}), $png, '  byte for byte');
    for my $case ([1, 'bob', 'no picture'], [1, 'carol', 'one too large'], [2, 'alice', 'a peer that the user is not at'], [1, 'nobody', 'nobody']) {
        my ($from, $user, $what) = @$case;
        $got = $call->($from, $user);
        $got = $got->{result} if ref $got eq 'HASH' && exists $got->{result};
        is_deeply($got, [], "$what: an empty array");
    }
    ok($h->wait_log(qr/MNET0877.*bob\.jpg.*neither PNG/), 'and the log says why');
    $h->expect_log(qr/MNET0877|MNET0897/);
};

subtest "the sites of a user's home" => sub {
    my $b = browser('alice');
    $b->follow($n->jump(0, 1, '/'));
    my $info = decode_json($b->get("$sp/mnet/hosts?format=json")->{content});
    is(scalar @{ $info->{home} }, 1, 'the other site that the home has') or diag explain $info;
    is($info->{home}[0]{name}, 'Schule Nº 3', '  by its name');
    like($info->{home}[0]{jump}, qr{^\Q$idp\E/auth/mnet/jump\.php\?hostid=\d+$}, '  by the jump page of the home');
    my $text = is_plain($b->get("$sp/mnet/hosts"), 'the page');
    like($text, qr{Other sites of Schule Nº 1.*Schule Nº 3}s, '  lists it');
    my $got = $b->follow($info->{home}[0]{jump});
    like($got->{url}, qr{^\Q$third\E/}, '  and its link leads there') or diag explain $got->{trail};
};

# Users of site 1 jump on to site 2 from its own jump page; the way to both is by endpoints that this
# can cut.  The watchdog looks as often as keys are short-lived.
sub cut {
    my (%down) = @_;
    $h->configure(config => "MnetTimeout 2s\nMnetKeyLifetime 20s\n", site_config => sub {
        my ($harness, $i) = @_;
        my $basic = "AuthType Basic\nAuthName users\nAuthBasicProvider file\nAuthUserFile \"" . $h->root . "/conf/users\"\nRequire valid-user\n";
        my $peers = Mnet::Network::peers($n, $harness, $i);
        $peers =~ s/(<MnetPeer "\Q@{[$n->wwwroot($_)]}\E">)/$1\nMnetPeerEndpoint http:\/\/127.0.0.1:1/ for keys %down;
        return $peers . "<Location /mnet/logout>\nSetHandler mnet-logout\n" . ($i ? '' : $basic) . "</Location>\n"
            . Mnet::Network::identity_provider($h);
    });
    $h->graceful;
    return;
}

sub user_at {
    my ($b, $i) = @_;
    my $user = decode_json($b->get($n->wwwroot($i) . '/mnet/hosts?format=json')->{content})->{user};
    return $user ? $user->{username} : undef;
}

subtest 'peers that were down at a logout are told later' => sub {
    $h->expect_log(qr/MNET0860|MNET042\d|MNET08\d\d/);
    cut();
    my $b = browser('alice', agent => 'Leaving/1');
    $b->follow($n->jump(0, $_, '/')) for 1, 2;
    is(user_at($b, $_), 'alice', "alice is at $_") for 1, 2;
    cut(1 => 1);
    my $got = $b->get("$idp/mnet/logout", 'Sec-Fetch-Site' => 'same-origin');
    like($got->{content}, qr{could not be told.*href="\Q$sp\E/"}s, 'the page says who was not told');
    is(user_at($b, 2), undef, 'who is up was told at once');
    is(user_at($b, 1), 'alice', 'who is down was not');
    $h->kill9;
    $h->start;
    cut();
    ok(Mnet::Harness::wait_for(sub { !defined user_at($b, 1) }, 40), 'and is told once it answers, though all of httpd was killed in between');
    ok($h->wait_log(qr/MNET0867.*was told that alice logged out/), '  with a line');

    $b->follow($n->jump(0, 1, '/'));
    cut(0 => 1);
    $got = $b->get("$sp/mnet/logout", Referer => "$sp/");
    like($got->{content}, qr{could not be told}, 'a provider that is down');
    cut();
    my $back = browser('alice', agent => 'Leaving/1');
    $back->follow($n->jump(0, 1, '/'));
    is(user_at($back, 1), 'alice', 'who has come back by then');
    # What was left to be told is due ten seconds after the logout.
    ok(!Mnet::Harness::wait_for(sub { !defined user_at($back, 1) }, 14), '  is not logged out by what was left to be told');
};

$h->stop;
done_testing;
