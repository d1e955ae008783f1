#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# Signed messages that are not encrypted: only from where MnetPlaintextFrom says, and never unsigned.

use strict;
use warnings;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Test::More;
use Mnet::Joined;

my %peers = (peers => { moodle => { style => 'moodle', section => { MnetPublish => 'test' } },
    mahara => { style => 'mahara', section => { MnetPublish => 'test' } } }, echo => 1);

for my $case (['not named', '', 0], ['another network', "MnetPlaintextFrom 192.0.2.0/24 2001:db8::/32\n", 0],
    ['this address', "MnetPlaintextFrom 127.0.0.1\n", 1], ['this network', "MnetPlaintextFrom 192.0.2.0/24 127.0.0.0/8\n", 1]) {
    my ($what, $config, $allowed) = @$case;
    subtest $what => sub {
        my $t = Mnet::Joined->start(%peers, config => "MnetFailureLimit 0\n$config");
        my $site = $t->site;
        for my $style (qw(moodle mahara)) {
            my $peer = $t->peer($style);
            my $saved = $peer->dir . '/saved';
            my @call = ($site, 'test/echo/lib.php/note', ['x']);
            my $signed = $peer->call(@call, no_seal => 1, save => $saved);
            if ($allowed) {
                is($signed->{result}, 'x', "$style, signed: answered") or diag explain $signed;
                ok($signed->{envelope}{signed} && !$signed->{envelope}{encrypted} && $signed->{envelope}{verified},
                    '  signed, not encrypted');
                is($peer->call(@call, raw => $saved)->{fault}{code}, 7102, '  a replay is a replay');
                is($peer->call(@call, no_seal => 1, tamper => 'signature')->{fault}{code}, 710,
                    '  a bad signature is bad');
                is($peer->call(@call, no_seal => 1, skew => -7200)->{fault}{code}, 7101, '  an old time is old');
                is($peer->call(@call, no_seal => 1, inner => 'http://nobody.example.org')->{fault}{code}, 7020,
                    '  a stranger is a stranger');
            } else {
                is($signed->{fault}{code}, 7021, "$style, signed: fault 7021") or diag explain $signed;
            }
            is($peer->call(@call, no_seal => 1, no_sign => 1)->{fault}{code}, 7021, "$style, bare: fault 7021");
            is($peer->call(@call, no_sign => 1)->{fault}{code}, 711, "$style, only encrypted: fault 711");
            is($peer->call(@call)->{result}, 'x', "$style, sealed: answered");
            my $swap = $peer->call($site, 'system/keyswap', [$peer->wwwroot, $peer->pem], no_seal => 1,
                enveloped => 1);
            like($swap->{result}, qr/BEGIN CERTIFICATE/, "$style, a signed keyswap: answered");
        }
    };
}

done_testing;
