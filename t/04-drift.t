#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# What is said in two places is the same in both: directives and their documentation, log numbers
# and their explanation, the sources of tests and the tests that run.
use strict;
use warnings;
use Test::More;

sub slurp
{
    my ($file) = @_;
    open my $in, '<', $file or die "$file: $!";
    local $/;
    return scalar <$in>;
}

# --- directives: declared in src/httpd, each with a section in docs/directives.md ---
my %declared;
for my $file (glob 'src/httpd/*.c src/httpd/*.h mod_mnet.c') {
    my $text = slurp($file);
    $declared{$1} = $file while $text =~ /^\s*(?:AP_INIT_\w+|MNET_\w+)\s*\(\s*"(<?Mnet\w+)>?"/gm;
}
my $docs = slurp('docs/directives.md');
my %documented = map { $_ => 1 } $docs =~ /^#+ `?(<?Mnet\w+)/gm;
cmp_ok(scalar keys %declared, '>=', 20, 'the directives are found in the sources');
is_deeply([grep { !$documented{$_} } sort keys %declared], [], 'every directive is documented');
is_deeply([grep { !$declared{$_} } sort keys %documented], [], 'every documented directive exists');
for my $directive (sort keys %documented) {
    my ($section) = $docs =~ /^#+ `?\Q$directive\E\b(.*?)(?=^#+ |\z)/ms;
    my @lacks = grep { $section !~ /$_/i } qw(Context Default Merge);
    is_deeply(\@lacks, [], "$directive says its context, default and merge rule");
}

# --- log numbers: one place each, one row each ---
my (%places, @twice);
for my $file (glob 'src/*/*.c src/*/*.h mod_mnet.c') {
    next if $file eq 'src/base/log.h';
    my $text = slurp($file);
    while ($text =~ /"(MNET\d{4})"/g) {
        push @twice, "$1 in $places{$1} and $file" if $places{$1};
        $places{$1} = $file;
    }
}
my $rows = slurp('docs/log-messages.md');
my %explained;
my @rows_twice;
while ($rows =~ /^\|\s*(MNET\d{4})\s*\|/gm) {
    push @rows_twice, $1 if $explained{$1}++;
}
cmp_ok(scalar keys %places, '>=', 20, 'the log numbers are found in the sources');
is_deeply(\@twice, [], 'a log number is used in one place only');
is_deeply(\@rows_twice, [], 'a log number is explained once');
is_deeply([grep { !$explained{$_} } sort keys %places], [], 'every log number is explained');
is_deeply([grep { !$places{$_} } sort keys %explained], [], 'every explained log number exists');

# --- every cmocka test of a file is in the list that its main() runs ---
my @unregistered;
for my $file (glob 't/unit/*.c') {
    my $text = slurp($file);
    my @tests = $text =~ /^static void (test_\w+)\s*\(void \*\*/gm;
    for my $test (@tests) {
        my $uses = () = $text =~ /\b\Q$test\E\b/g;
        push @unregistered, "$file: $test" if $uses < 2;
    }
}
is_deeply(\@unregistered, [], 'every unit test is registered');
done_testing;
