#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# What the fuzzers of `make fuzz` start from, and what they once found, run through every target.
use strict;
use warnings;
use FindBin qw($Bin);
use Test::More;

my $build = ($ENV{MNET_BUILD} // 'build') . '/fuzz';
my @targets = sort map { m{fuzz_(\w+)\.c$} } glob "$Bin/fuzz/fuzz_*.c";
cmp_ok(scalar @targets, '>=', 3, 'the targets are found');
for my $target (@targets) {
    my @inputs = glob "$Bin/fuzz/corpus/$target/*";
    cmp_ok(scalar @inputs, '>', 0, "$target has a corpus");
    my $tap = qx($build/fuzz_$target $Bin/fuzz/corpus/$target 2>&1);
    is($?, 0, "$target takes it") or diag $tap;
    my $done = () = $tap =~ /^ok /gm;
    is($done, scalar @inputs, '  all of it');
}
done_testing;
