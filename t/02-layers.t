#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# An include goes down the table of rooms or stays in its room; httpd's headers stay in src/httpd.
use strict;
use warnings;
use Test::More;
use File::Find;

# From the ground up.  Rooms of one floor do not know each other.
my @order = (['base'], ['wire', 'state'], ['package'], ['trust'], ['rpc'], ['service'],
    ['portfolio', 'school'], ['httpd', 'cli']);
my %floor = map { my $n = $_; map { $_ => $n } @{ $order[$n] } } 0 .. $#order;
# What a package is: files, archives, manifests.  It knows nothing of records.
my %apart = ('package state' => 1);

my @files;
find(sub { push @files, $File::Find::name if /\.[ch]$/ }, 'src');
push @files, 'mod_mnet.c';
cmp_ok(scalar @files, '>', 20, 'the sources are found');

my $httpd_header = qr/^(?:httpd|http_\w+|ap_\w+|mod_\w+|util_\w+|scoreboard|mpm_common|unixd)\.h$/;
my (@up, @leak, @strange);
for my $file (sort @files) {
    my ($room) = $file =~ m{^src/(\w+)/} or next;
    if (!exists $floor{$room}) {
        push @strange, "$file: no room is called $room";
        next;
    }
    open my $in, '<', $file or die "$file: $!";
    while (<$in>) {
        next unless /^\s*#\s*include\s*[<"]([^>"]+)[>"]/;
        my $header = $1;
        push @leak, "$file:$. includes $header"
            if $header =~ $httpd_header && $room ne 'httpd' && !-e "src/$room/$header";
        my ($target) = $header =~ m{^(\w+)/} or next;
        next if !exists $floor{$target} || $target eq $room;
        push @up, "$file:$. includes $header"
            if $floor{$target} >= $floor{$room} || $apart{"$room $target"};
    }
}
is_deeply(\@strange, [], 'every room is one of design');
is_deeply(\@up, [], 'no include runs up or sideways');
is_deeply(\@leak, [], "httpd's headers are included in src/httpd and mod_mnet.c only");
done_testing;
