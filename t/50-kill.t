#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# The whole server, and whatever mnetctl was doing, is killed with SIGKILL a hundred times while peers
# are changed and keys replaced.  Nothing that was acknowledged is lost, every start finds the store
# sound, and there is a key at every moment.

use strict;
use warnings;
use FindBin qw($Bin);
use lib "$Bin/lib";
use JSON::PP;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);
use Mnet::Harness;

my $KILLS = $ENV{MNET_TEST_KILLS} // 100;
my $PEER = 'http://peer.example';
# Its key is due again after a few seconds, so that the watchdog rotates as well.
my $h = Mnet::Harness->new(config => "MnetKeyLifetime 20s\nMnetKeyHistory 6\n");
my ($kills, $changes, $rotations, $keyless) = (0, 0, 0, 0);
my @lost;

# Changes a peer and our key, over and over, and writes down what was acknowledged.
sub worker {
    my ($round, $ack) = @_;
    my $pid = fork // die "fork: $!";
    return $pid if $pid;
    setpgrp 0, 0;
    open STDOUT, '>', '/dev/null';
    open STDERR, '>', '/dev/null';
    my @mnetctl = (Mnet::Harness::build() . '/mnetctl', '-d', $h->state_dir);
    for my $n (1 .. 1000) {
        my @what = $n % 4 != 2 ? ('peers', 'publish', $PEER, "service-$round-$n") : ('keys', 'rotate');
        system(@mnetctl, @what) == 0 or next;
        syswrite $ack, join(' ', $n % 4 != 2 ? ('publish', "service-$round-$n") : 'rotate') . "\n";
    }
    POSIX::_exit(0);
}

sub json {
    my (@args) = @_;
    my $got = $h->mnetctl('--json', @args);
    return $got->{exit} == 0 ? decode_json($got->{out}) : { failed => $got->{out} . $got->{err} };
}

sub published {
    my $peer = json(qw(peers show), $PEER);
    my $found = $peer->{peers} ? $peer->{peers}[0] : $peer;
    return $found->{publish}[0] // JSON::PP->new->canonical->encode($peer);
}

# While it runs there is a key: asked for, it is always given.
sub key_is_there {
    my $got = $h->http(GET => $h->url(0, '/mnet/publickey.php'));
    return $got->{status} == 200 && $got->{content} =~ /BEGIN CERTIFICATE/;
}

$h->start;
my $added = $h->mnetctl(qw(peers add), $PEER, '--certificate', "$Bin/data/peer.example.crt");
is($added->{exit}, 0, 'a peer is added') or diag $added->{out} . $added->{err};
$h->stop;

my $last = 'none';
for my $round (1 .. $KILLS) {
    $h->start;
    pipe my $in, my $out or die "pipe: $!";
    my $pid = worker($round, $out);
    close $out;
    # The moment of the kill is drawn, but for every fifth after some changes, however slow the machine
    # is; until then the key is asked for.
    my ($said, $wanted) = ('', $round % 5 ? 2 + int rand 3 : 0);
    my ($until, $at_most) = (time + 0.05 + rand 0.35, time + 30);
    $in->blocking(0);
    do {
        $keyless++ if !key_is_there();
        sysread $in, $said, 65536, length $said;
    } while time < $until || ($said =~ tr/\n//) < $wanted && time < $at_most;
    kill 'KILL', -$pid;
    $h->kill9;
    waitpid $pid, 0;
    $kills++;
    $in->blocking(1);
    my @acknowledged = split /\n/, $said . do { local $/; <$in> // '' };
    for my $what (@acknowledged) {
        $what =~ /^publish (\S+)$/ ? ($last = $1, $changes++) : $rotations++;
    }
    # The one in flight may have been written or not; none before it may be lost.
    my $now = published();
    my ($number) = $now =~ /^service-\d+-(\d+)$/;
    my ($acked) = $last =~ /-(\d+)$/;
    push @lost, "kill $round: acknowledged $last, found $now"
        if $last ne 'none' && $now ne $last
        && !($now =~ /^service-$round-/ && ($last !~ /^service-$round-/ || $number > $acked));
    $last = $now if $now =~ /^service-/;
    my $keys = json(qw(keys show));
    push @lost, "kill $round: " . JSON::PP->new->canonical->encode($keys) if $keys->{failed};
}
$h->start;
ok(key_is_there(), 'it starts once more, and has its key');
$h->stop;
is($kills, $KILLS, "killed $KILLS times");
cmp_ok($changes, '>', $KILLS / 2, "peers were changed meanwhile ($changes acknowledged)");
cmp_ok($rotations, '>', 0, "keys were replaced meanwhile ($rotations acknowledged)");
is_deeply(\@lost, [], 'nothing acknowledged was lost');
is($keyless, 0, 'never a moment without a key');
done_testing;
