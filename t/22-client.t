#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# The site calls peers of every kind: what it sends, and what it says when something is wrong:
# policy, transport, trust or the peer's fault.

use strict;
use warnings;
use utf8;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Test::More;
use Time::HiRes qw(time);
use Mnet::Joined;
use Mnet::PhpPeer;

my @styles = qw(moodle moodle-old mahara);
my $unlisted = Mnet::PhpPeer->start(style => 'moodle');
my $t = Mnet::Joined->start(styles => [qw(moodle-old mahara)],
    config => "MnetTimeout 3s\nMnetMaxBody 1m\nMnetClockSkew 15m\n",
    peers => { moodle => { style => 'moodle', section => { MnetPublish => 'sso_idp sso_sp' } },
        tls => { style => 'moodle', tls => 1 },
        below => { style => 'mahara', path => '/path/below' },
        untrusted => { style => 'moodle', tls => 1, section => { MnetPeerTLS => undef } },
        insecure => { style => 'moodle', tls => 1, section => { MnetPeerTLS => 'insecure' } },
        wrong => { style => 'moodle', section => { MnetPeerApplication => 'mahara' } },
        unsure => { style => 'moodle', section => { MnetPeerCertificate => undef } } });
my $site = $t->site;
# It must not be what meets a lie.
$t->first_round(@styles);

for my $name (@styles, qw(tls insecure below)) {
    my $peer = $t->peer($name);
    $peer->forget_requests;
    my $ping = $t->ctl('ping', $peer->wwwroot);
    is($ping->{exit}, 0, "ping $name") or diag explain $ping;
    is($ping->{json}{peer}, $peer->wwwroot, '  says whom');
    ok(ref $ping->{json}{services} eq 'ARRAY' && @{ $ping->{json}{services} }, '  and what services');
    my ($request) = grep { ($_->{method} // '') eq 'system/listServices' } $peer->requests;
    $request ||= {};
    is($request->{http}, 'POST', '  it was a POST');
    ok($request->{encrypted} && $request->{signed} && $request->{verified}, '  sealed, signed, verified');
    is($request->{outer}, $site, '  outer wwwroot');
    is($request->{inner}, $site, '  inner wwwroot');
    is($request->{method}, 'system/listServices', '  the method by its slash name');
    cmp_ok(abs($request->{timestamp} - time), '<', 10, '  the time');
    like($request->{headers}{'content-type'}, qr{^text/xml}, '  text/xml');
    is($request->{headers}{'content-encoding'}, undef, '  not compressed');
    is($request->{headers}{expect} || '', '', '  no Expect');
    cmp_ok($request->{headers}{'content-length'} || 0, '>', 1000, '  with its length');
    is($request->{headers}{host}, ($peer->wwwroot =~ m{//([^/]+)})[0], '  Host is of the wwwroot');
    is($t->xcall($name, 'test/echo/lib.php/who')->{json}{result}, $site, '  the peer knows who called');
    $peer->forget_requests;
    my $fault = $t->xcall($name, 'test/echo/lib.php/fail', 4711, 'as asked');
    is($fault->{exit}, 1, '  a fault: exit status 1');
    is($fault->{json}{error}{kind}, 'fault', '    kind fault');
    # Mahara's own faults go as plain text and with its own words.
    is($fault->{json}{error}{code}, 4711, '    its code');
    like($fault->{json}{error}{message}, qr/as asked/, '    its text');
    is($peer->heard('test/echo/lib.php/fail'), 1, '    asked once');
}
my $learnt = $t->ctl('call', $t->peer('mahara')->wwwroot, 'system/listMethods');
is(ref $learnt->{json}{result}, 'HASH', "a Mahara's listMethods is a struct");

sub trouble {
    my ($name, $kind, $what, %o) = @_;
    my $started = time;
    my $got = $t->xcall($name, $o{method} || 'test/echo/lib.php/first', 'x');
    my $took = time - $started;
    is($got->{json}{error}{kind}, $kind, "$what: $kind") or diag explain $got;
    is($got->{exit}, 1, '  exit status 1');
    like($got->{json}{error}{message} // '', $o{message} || qr/\w/, '  and says so');
    cmp_ok($took, '<', $o{seconds} || 12, '  in time');
    return $got;
}

subtest 'policy' => sub {
    my $got = $t->ctl('call', $unlisted->wwwroot, 'system/listServices');
    isnt($got->{exit}, 0, 'a peer that is none is not called');
    is($unlisted->heard, 0, '  and hears nothing');
    $t->peer('moodle')->forget_requests;
    trouble('moodle', 'policy', 'a method of no service we subscribe to', method => 'other/thing.php/fn',
        message => qr/subscribe/);
    trouble('moodle', 'policy', 'no name of a method', method => 'nosuch', message => qr/name/);
    is($t->peer('moodle')->heard($_), 0, 'nothing of it was sent') for qw(other/thing.php/fn nosuch);
    trouble('unsure', 'policy', 'a peer without a certificate', message => qr/confirm/);
};

subtest 'transport' => sub {
    trouble('untrusted', 'transport', 'TLS that nothing vouches for', message => qr/certificate|TLS|SSL/i);
    trouble('wrong', 'transport', 'the wrong application', message => qr/404.*application/);
    my $peer = $t->peer('moodle');
    for my $lie ([500 => qr/500/], [503 => qr/503/], [redirect => qr/302|redirect/], ['hang:25' => qr/time|answer/i],
        [close => qr/./], [truncated => qr/./]) {
        $peer->lie_once($lie->[0]);
        trouble('moodle', 'transport', $lie->[0], message => $lie->[1]);
    }
    $peer->lie_once('big:5');
    my $got = $t->xcall('moodle', 'test/echo/lib.php/first', 'x');
    like($got->{json}{error}{kind}, qr/^(?:transport|trust)$/, 'an answer without end is cut off');
    $got = $t->xcall('moodle', 'test/echo/lib.php/big', 3_000_000);
    like($got->{json}{error}{kind}, qr/^(?:transport|trust)$/, 'so is one over MnetMaxBody');
    is(length($t->xcall('moodle', 'test/echo/lib.php/big', 300_000)->{json}{result} // ''), 300_000,
        '  but not one below');
    $peer->stop;
    trouble('moodle', 'transport', 'nobody there', message => qr/connect|refused/i);
    ok($peer->restart, 'the peer is back');
    is($t->xcall('moodle', 'test/echo/lib.php/first', 'x')->{json}{result}, 'x', '  and is called again');
};

subtest 'a peer that drips' => sub {
    my $peer = $t->peer('moodle');
    $peer->lie_once('drip:30');
    my $started = time;
    my $got = $t->xcall('moodle', 'test/echo/lib.php/first', 'x');
    my $took = time - $started;
    is($got->{json}{error}{kind}, 'transport', 'costs its own time') or diag explain $got;
    cmp_ok($took, '<', 60, sprintf('  and no more than that (%.1f s)', $took));
};

subtest 'trust' => sub {
    for my $style (@styles) {
        my $peer = $t->peer($style);
        for my $lie (['garbage'], ['html', qr/page|RC4/], ['empty', qr/empty/], ['plain-answer', qr/sign|encrypt/],
            ['bad-signature', qr/sign/], ['foreign-signature', qr/sign/], ['wrong-inner', qr/another site/],
            ['wrong-outer'], ['wrong-both'], ['future-time', qr/time/], ['stale-time', qr/time/],
            ['unsigned'], ['unencrypted', qr/encrypted/], ['double-object'], ['doctype'], ['not-xml'],
            ['twice-response']) {
            $peer->lie_once($lie->[0]);
            trouble($style, 'trust', "$style, $lie->[0]", message => $lie->[1]);
        }
        $peer->lie_once('warned');
        is($t->xcall($style, 'test/echo/lib.php/first', 'x')->{json}{result}, 'x',
            "$style: warnings of its PHP before the message are passed over");
        is($t->xcall($style, 'test/echo/lib.php/first', 'x')->{json}{result}, 'x', "$style: and then the truth");
    }
};

subtest 'no RC4' => sub {
    my $moodle = $t->peer('moodle');
    $moodle->lie_once('no-rc4');
    my $got = $t->xcall('moodle', 'test/echo/lib.php/first', 'x');
    is($got->{json}{error}{code}, 7023, 'a Moodle without RC4 says 7023');
    like($got->{json}{error}{message}, qr/RC4/, '  and we name the likely cause');
    $t->peer('mahara')->lie_once('no-rc4');
    trouble('mahara', 'trust', 'a Mahara without RC4', message => qr/RC4.*provider/);
    $moodle->lie_once('plain-fault:704');
    $got = $t->xcall('moodle', 'test/echo/lib.php/first', 'x');
    is($got->{json}{error}{kind}, 'fault', 'another plain fault is a fault');
    is($got->{json}{error}{code}, 704, '  by its code');
    unlike($got->{json}{error}{message}, qr/RC4/, '  that has nothing to do with RC4');
};

ok($t->alive($_), "$_: the server is alive") for @styles;
done_testing;
