#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# MnetRegisterAllHosts: a keyswap makes a peer of a stranger, one without any services; without it,
# it makes none.

use strict;
use warnings;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Test::More;
use Mnet::Joined;
use Mnet::PhpPeer;

sub texts {
    my ($in) = @_;
    return map { texts($_) } ref $in eq 'HASH' ? values %$in : @$in if ref $in eq 'HASH' || ref $in eq 'ARRAY';
    return $in // '';
}

sub listed {
    my ($t, $wwwroot) = @_;
    return scalar grep { $_->{wwwroot} eq $wwwroot } map { @{ $_->{peers} } }
        @{ $t->ctl('peers', 'list')->{json}{sites} };
}

# An address may register one site a minute: every attempt comes from another.
my $address = 10;
sub fresh { return from => '127.0.0.' . ++$address }

sub swap {
    my ($t, $stranger, @params) = @_;
    return $stranger->call($t->site, 'system/keyswap',
        @params ? \@params : [$stranger->wwwroot, $stranger->pem, 'moodle'], fresh());
}

subtest 'off' => sub {
    my $t = Mnet::Joined->start(styles => ['moodle'], config => "MnetFailureLimit 0\n");
    my $stranger = Mnet::PhpPeer->start(style => 'moodle');
    like(swap($t, $stranger)->{result}, qr/BEGIN CERTIFICATE/, 'a keyswap is answered');
    ok(!listed($t, $stranger->wwwroot), 'and makes no peer');
    $stranger->learn($t->site);
    is($stranger->call($t->site, 'system/listServices')->{fault}{code}, 7020, 'who stays unknown: 7020');
};

subtest 'on' => sub {
    my $t = Mnet::Joined->start(styles => ['moodle'], echo => 1, config => "MnetFailureLimit 0\nMnetRegisterAllHosts On\n");
    my $site = $t->site;
    for my $style (qw(moodle mahara)) {
        my $stranger = Mnet::PhpPeer->start(style => $style);
        $stranger->learn($site, 'moodle', fresh());
        ok(listed($t, $stranger->wwwroot), "$style: a keyswap makes a peer");
        my $reply = $stranger->call($site, 'system/listServices');
        is(ref $reply->{result}, 'ARRAY', '  that is answered') or diag explain $reply;
        is(scalar(grep { $_->{publish} && $_->{publish} ne '0' } @{ $reply->{result} || [] }), 0,
            '  and has no services');
        is($stranger->call($site, 'test/echo/lib.php/first', ['x'])->{fault}{code}, 7012, '  none at all');
        $stranger->rotate;
        like(swap($t, $stranger)->{result}, qr/BEGIN CERTIFICATE/, '  a second keyswap with another key');
        ok(listed($t, $stranger->wwwroot), '  it is still there');
        my $shown = $t->ctl('peers', 'show', $stranger->wwwroot)->{json};
        my $new = $stranger->dir . '/certificate.pem';
        $stranger->pem_file;
        chomp(my $print = qx(openssl x509 -in $new -noout -fingerprint -sha256));
        $print =~ s/.*=//;
        ok(!(grep { index($_, $print) >= 0 } texts($shown)), '  with the certificate it came with')
            or diag explain $shown;
    }
    my $known = $t->peer('moodle');
    my $thief = Mnet::PhpPeer->start(style => 'moodle', wwwroot => $known->wwwroot);
    swap($t, $thief, $known->wwwroot, $thief->pem, 'moodle');
    ok($t->alive('moodle'), "a thief's keyswap does not change a known peer");
    my $stranger = Mnet::PhpPeer->start(style => 'moodle');
    for my $case (['another site\'s certificate', [$stranger->wwwroot, $known->pem, 'moodle']],
        ['no certificate', [$stranger->wwwroot, 'nothing', 'moodle']],
        ['no wwwroot', ['', $stranger->pem, 'moodle']],
        ['a wwwroot with a slash', [$stranger->wwwroot . '/', $stranger->pem, 'moodle']],
        ['a wwwroot with a user', ['http://a@b.example.org', $stranger->pem, 'moodle']],
        ['our own wwwroot', [$site, $stranger->pem, 'moodle']]) {
        my $reply = swap($t, $stranger, @{ $case->[1] });
        ok($reply->{result} || $reply->{fault}, "$case->[0]: an answer");
        ok(!listed($t, $case->[1][0]), '  and no peer');
    }
    is($t->ctl('peers', 'list')->{exit}, 0, 'the list is whole');
    ok($t->alive('moodle'), 'the server is alive');
};

subtest 'a name that was claimed before it is configured' => sub {
    my $all = "MnetFailureLimit 0\nMnetRegisterAllHosts On\n";
    my $t = Mnet::Joined->start(styles => ['moodle'], echo => 1, config => $all);
    my $victim = 'http://victim.example.org';
    my $thief = Mnet::PhpPeer->start(style => 'moodle', wwwroot => $victim);
    $thief->learn($t->site, 'moodle', fresh());
    ok(listed($t, $victim), 'a stranger takes a name');
    my $h = $t->harness;
    $h->configure(config => "$h->{config}<MnetPeer \"$victim\">\n    MnetPublish test\n</MnetPeer>\n");
    $h->graceful;
    ok($h->wait_log(qr/MNET0457.*\Q$victim\E/), 'the site of that name is asked for its certificate');
    is($thief->call($t->site, 'test/echo/lib.php/first', ['x'])->{fault}{code}, 7020,
        'and the stranger does not get what is published to it');
};

done_testing;
