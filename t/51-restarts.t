#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# A hundred graceful restarts under traffic: no call fails, and the parent's memory, its descriptors,
# the semaphores and the shared memory of the machine stay as they were.

use strict;
use warnings;
use FindBin qw($Bin);
use lib "$Bin/lib", "$Bin/bench";
use POSIX qw(WNOHANG);
use Test::More;
use Time::HiRes qw(sleep time);
use Mnet::Bench;

my $RESTARTS = $ENV{MNET_TEST_RESTARTS} // 100;
# The program that calls does not tidy up at its end.
local $ENV{ASAN_OPTIONS} = 'detect_leaks=0';
my $bench = Mnet::Bench->new;
my $h = $bench->site(config => "StartServers 2\nServerLimit 32\n");

sub parent {
    my %got;
    open my $in, '<', '/proc/' . $h->pid . '/status' or die $!;
    while (<$in>) {
        $got{rss} = $1 if /^VmRSS:\s+(\d+)/;
    }
    $got{fds} = () = glob '/proc/' . $h->pid . '/fd/*';
    open my $maps, '<', '/proc/' . $h->pid . '/maps' or die $!;
    $got{segments} = grep { m{/dev/zero|SYSV|/dev/shm} } <$maps>;
    open my $semaphores, '<', '/proc/sysvipc/sem' or die $!;
    $got{semaphores} = () = <$semaphores>;
    return \%got;
}

# Callers come and go in another process; how many calls failed comes back.
sub traffic {
    my ($stop) = @_;
    my $pid = fork // die "fork: $!";
    return $pid if $pid;
    my ($failed, $calls) = (0, 0);
    local $SIG{TERM} = sub { $stop = 1 };
    until ($stop) {
        my $got = eval { $bench->load($h, calls => 200, clients => 2, no_cpu => 1) };
        print {*STDERR} $@ if $@;
        $failed++ if !$got;
        $calls += 200;
    }
    open my $out, '>', $h->root . '/traffic' or POSIX::_exit(1);
    print $out "$calls $failed";
    close $out;
    POSIX::_exit(0);
}

my $pid = traffic(0);
my $first;
for my $n (1 .. $RESTARTS) {
    $h->graceful(at_once => 1);
    $first = parent() if $n == 10;
}
my $last = parent();
kill 'TERM', $pid;
my $until = time + 60;
sleep 0.05 while waitpid($pid, WNOHANG) == 0 && time < $until;
my ($calls, $failed) = do { open my $in, '<', $h->root . '/traffic' or die "no word of the traffic: $!"; split ' ', <$in> };
cmp_ok($calls, '>', $RESTARTS, "calls went on meanwhile ($calls)");
is($failed, 0, 'none failed');
is($last->{fds}, $first->{fds}, 'as many descriptors after the last restart as after the tenth');
is($last->{segments}, $first->{segments}, 'as many shared segments');
# They are the machine's: another test may hold some.  A leak would be one a restart.
cmp_ok($last->{semaphores} - $first->{semaphores}, '<', 10, 'no semaphore a restart');
SKIP: {
    skip 'AddressSanitizer keeps what was freed', 1 if $ENV{MNET_ASAN};
    cmp_ok($last->{rss} - $first->{rss}, '<=', 1024, "the parent's memory is flat ($first->{rss} KiB, then $last->{rss} KiB)");
}
$h->stop;
done_testing;
