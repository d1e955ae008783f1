#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Small files, functions that fit a screen: the limits hold for every source.
use strict;
use warnings;
use Test::More;

my @files = ('mod_mnet.c', sort glob 'src/*/*.c');
my (@lines, @long_files, @long_functions, @functions, @banned);
for my $file (@files) {
    open my $in, '<', $file or die "$file: $!";
    my ($start, $name);
    while (<$in>) {
        $name = $1 if /^\w.*?(\w+)\(/;
        $start = $. if /^\{/;
        if (/^\}/ && defined $start) {
            my $n = $. - $start + 1;
            push @functions, $n;
            push @long_functions, "$file: $name() has $n lines" if $n > 100;
            undef $start;
        }
        push @banned, "$file:$.: $1"
            if /\b(strcpy|strcat|sprintf|vsprintf|gets|atoi|atol|alloca|strtok)\s*\(/;
    }
    push @lines, $.;
    push @long_files, "$file has $. lines" if $. > 1000;
}
my @sorted = sort { $a <=> $b } @lines;
my @f = sort { $a <=> $b } @functions;
cmp_ok($sorted[@sorted / 2], '<=', 350, 'the median file has at most 350 lines');
is_deeply(\@long_files, [], 'no file has over 1000 lines');
is_deeply(\@long_functions, [], 'no function has over 100 lines');
is_deeply(\@banned, [], 'no call that C on the open internet does without');
note sprintf '%d files, median %d, most %d lines; %d functions, median %d, 90%% %d, most %d lines',
    scalar @files, $sorted[@sorted / 2], $sorted[-1], scalar @f, $f[@f / 2], $f[@f * 0.9], $f[-1];
done_testing;
