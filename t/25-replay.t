#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# The same message twice is refused; two messages that say the same are not.

use strict;
use warnings;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Test::More;
use Mnet::Joined;

my $t = Mnet::Joined->start(echo => 1, config => "MnetFailureLimit 0\n", peers => {
    moodle => { style => 'moodle', section => { MnetPublish => 'test' } },
    mahara => { style => 'mahara', section => { MnetPublish => 'test' } } });
my $site = $t->site;

for my $style (qw(moodle mahara)) {
    my $peer = $t->peer($style);
    my $saved = $peer->dir . '/saved';
    for my $case (['reads', 'test/echo/lib.php/first'], ['changes something', 'test/echo/lib.php/note']) {
        my ($what, $method) = @$case;
        is($peer->call($site, $method, ['once'], save => $saved)->{result}, 'once', "$style: a call that $what");
        $t->mark;
        my $again = $peer->call($site, $method, ['once'], raw => $saved);
        is($again->{fault}{code}, 7102, '  sent again: fault 7102') or diag explain $again;
        ok($again->{envelope}{verified}, '    sealed and signed');
        my @lines = $t->warnings;
        is(@lines, 1, '    one line in the log') or diag join "\n", @lines;
        like($lines[0] // '', qr/7102/, '    that names the fault');
        is($peer->call($site, $method, ['once'])->{result}, 'once', '  the same call, made anew, is answered');
        my @many = $peer->call($site, $method, ['once'], repeat => 5);
        is(scalar(grep { ($_->{result} // '') eq 'once' } @many), 5, '  five times over');
        for (1 .. 3) {
            is($peer->call($site, $method, ['once'], raw => $saved)->{fault}{code}, 7102, '  the old bytes never');
        }
    }
}

# A thief can move the time, which nobody signed, and reseal nothing: the session key stays the same.
my $peer = $t->peer('moodle');
my $key = unpack 'H*', join '', map { chr int rand 256 } 1 .. 16;
is($peer->call($site, 'test/echo/lib.php/note', ['x'], session => $key)->{result}, 'x', 'with a session key of ours');
is($peer->call($site, 'test/echo/lib.php/note', ['x'], session => $key, skew => 5)->{fault}{code}, 7102,
    'the same session key with another time: 7102');
is($t->peer('mahara')->call($site, 'test/echo/lib.php/note', ['x'], session => $key)->{result}, 'x',
    'another peer is another matter');

# What changes something stays refused when the server was restarted.
my $saved = $peer->dir . '/restart';
is($peer->call($site, 'test/echo/lib.php/note', ['x'], save => $saved)->{result}, 'x', 'before a restart');
$t->harness->graceful;
is($peer->call($site, 'test/echo/lib.php/note', ['x'], raw => $saved)->{fault}{code}, 7102,
    'after a graceful restart it is a replay');
$t->harness->stop;
$t->harness->start;
is($peer->call($site, 'test/echo/lib.php/note', ['x'], raw => $saved)->{fault}{code}, 7102,
    'and after a full one');

# Two at once: one of them is done.
subtest 'at once' => sub {
    for my $round (1 .. 5) {
        my $body = $peer->body($site, 'test/echo/lib.php/note', ['race']);
        my (@pids, @out);
        for my $n (0 .. 3) {
            pipe my $read, my $write;
            my $pid = fork;
            if (!$pid) {
                my $got = $t->post($body);
                print {$write} length $got->{body}, ' ', $got->{status}, "\n";
                close $write;
                require POSIX;
                POSIX::_exit(0);
            }
            close $write;
            push @pids, $pid;
            push @out, $read;
        }
        my @said = map { scalar readline $_ } @out;
        waitpid $_, 0 for @pids;
        is(scalar(grep { /200/ } @said), 4, "round $round: all are answered");
        $t->mark if $round == 1;
    }
    my @refused = grep { /7102/ } $t->warnings;
    cmp_ok(scalar @refused, '>=', 12, 'three of four were replays');
};

ok($t->alive('moodle'), 'the server is alive');
done_testing;
