#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# A peer that calls without end has its share of the store, and no more: the others do not notice.

use strict;
use warnings;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Test::More;
use Mnet::Joined;

my $t = Mnet::Joined->start(echo => 1, config => "MnetStateSize 4m\n", peers => {
    moodle => { style => 'moodle', section => { MnetPublish => 'test' } },
    mahara => { style => 'mahara', section => { MnetPublish => 'test' } } });
my ($site, $h, $greedy, $other) = ($t->site, $t->harness, $t->peer('moodle'), $t->peer('mahara'));
my @note = ($site, 'test/echo/lib.php/note', ['x']);

sub room {
    my ($room) = grep { $_->{what} eq 'room in the store' } @{ $t->ctl('doctor')->{json}{checks} };
    return $room->{text} =~ /^(\d+) % / ? $1 : 0;
}

sub share { return $t->ctl('peers', 'show', $greedy->wwwroot)->{json}{share} }

is($greedy->call(@note)->{result}, 'x', 'a call that changes something');
my $share = share();
cmp_ok($share->{used}, '>', 100, 'is counted');
cmp_ok($share->{most}, '>', 1 << 20, '  of a third of the store');

$t->mark;
my ($done, $last) = (0);
for my $round (1 .. 30) {
    my @replies = $greedy->call(@note, repeat => 250);
    $done += grep { ($_->{result} // '') eq 'x' } @replies;
    $last = $replies[-1];
    last if $last->{fault};
}
is($last->{fault}{code}, 7105, 'one that goes on is refused: 7105') or diag explain $last;
ok($last->{envelope}{verified}, '  sealed and signed');
cmp_ok($done, '>', 5000, "  after $done calls");
cmp_ok(room(), '<', 50, '  most of the store is free');
my @lines = $t->warnings;
is(@lines, 1, '  one line in the log') or diag join "\n", @lines;
my $named = quotemeta $greedy->wwwroot;
like($lines[0] // '', qr/MNET0463: .*$named has its share .*MnetStateSize/, '    that names it, and the mend');
is($greedy->call($site, 'test/echo/lib.php/first', ['y'])->{result}, 'y', 'it may still read');
is(scalar(grep { ($_->{result} // '') eq 'x' } $other->call(@note, repeat => 50)), 50, 'the other goes on');
my ($found) = grep { $_->{what} eq 'peer ' . $greedy->wwwroot && $_->{text} =~ /the store has/ } @{ $t->ctl('doctor')->{json}{checks} };
is($found->{level}, 'warn', 'doctor knows of it');
like($h->mnetctl('peers', 'show', $greedy->wwwroot)->{out}, qr/share of the store +\d\S* of \d/, 'and people are shown it');
$h->stop;
done_testing;
