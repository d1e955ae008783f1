#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# make bench: what a call costs, as ratios measured side by side in one run.  Prints a table and
# writes build/bench.json.  MNET_BENCH=wire,memory,... picks; MNET_BENCH_ROUNDS sets the rounds.

use strict;
use warnings;
use FindBin qw($Bin);
use lib "$Bin/../lib", $Bin;
use JSON::PP;
use Mnet::Bench;

my %parts = (
    wire   => 'what a sealed call costs the server, beside its cryptography; calls per second',
    php    => 'the same beside a peer in PHP under php-fpm',
    memory => 'resident memory of a child after 10,000 calls, beside after 1,000',
    peers  => 'the cost of a call with 10,000 peers, beside 10',
);
my @order = qw(wire php memory peers);
for my $file (glob "$Bin/part_*.pl") {
    my $part = do $file or die "$file: " . ($@ || $!);
    $parts{ $part->{name} } = $part->{about};
    push @order, $part->{name};
    no strict 'refs';
    *{"Mnet::Bench::$part->{name}"} = $part->{run};
}
my %wanted = map { $_ => 1 } split /,/, $ENV{MNET_BENCH} // join ',', @order;

my $bench = Mnet::Bench->new(rounds => $ENV{MNET_BENCH_ROUNDS} // 7);
for my $name (grep { $wanted{$_} } @order) {
    print "\n== $name: $parts{$name}\n";
    $bench->$name;
}
$bench->report($ENV{MNET_BUILD} ? "$ENV{MNET_BUILD}/bench.json" : 'build/bench.json');
