# SPDX-License-Identifier: Apache-2.0
#
# The school ledger: what a grade costs where there are 100,000 of them already, beside 1,000; and what
# memory an export of them takes.

package Mnet::Bench::Ledger;

use strict;
use warnings;
use Mnet::Harness;

my $BUILD = $ENV{MNET_BUILD} // 'build';
my $CALLS = 400;
my ($FEW, $MANY) = (1_000, 100_000);

sub ledger {
    my ($bench, $grades) = @_;
    my $h = $bench->site(config => "MnetLedger On\n", publish => 'schooltool');
    my $calls = $CALLS * ($bench->{rounds} + 1);
    system("$BUILD/bench/ledger", $h->state_dir, $h->wwwroot(0), $bench->{caller}{wwwroot}, $grades, $calls, $h->root . '/calls') == 0
        or die 'the ledger was not filled';
    return $h;
}

sub grades {
    my ($bench, $h, $round) = @_;
    my $root = $h->root;
    my $caller = { key => "$root/caller.p8", pem => "$root/caller.pem", wwwroot => 'http://caller.example' };
    return $bench->load($h, calls => $CALLS, clients => 1, caller => $caller, more => "--documents $root/calls --from " . $CALLS * $round);
}

# The most that an export holds of its own, while somebody reads it piece by piece; its length.
sub export {
    my ($h, $format) = @_;
    my ($most, $bytes) = (0, 0);
    my $pid = open(my $from, '-|', "$BUILD/mnetctl", '-d', $h->state_dir, qw(ledger export --what grades --format), $format) or die "mnetctl: $!";
    binmode $from;
    while (my $n = sysread $from, my $piece, 65536) {
        $bytes += $n;
        open my $in, '<', "/proc/$pid/status" or next;
        while (my $line = <$in>) {
            $most = $1 if $line =~ /^RssAnon:\s+(\d+) kB/ && $1 > $most;
        }
    }
    close $from or die 'the export failed';
    return ($most, $bytes);
}

sub run {
    my ($bench) = @_;
    my ($few, $many) = map { ledger($bench, $_) } $FEW, $MANY;
    grades($bench, $_, 0) for $few, $many;
    my (@few, @many, @ratio, @rate);
    for my $round (1 .. $bench->{rounds}) {
        my %now;
        for my $which ($round % 2 ? qw(few many) : qw(many few)) {
            $now{$which} = grades($bench, $which eq 'few' ? $few : $many, $round);
        }
        push @few, $now{few}{cpu_us};
        push @many, $now{many}{cpu_us};
        push @rate, $now{many}{per_second};
        push @ratio, $now{many}{cpu_us} / $now{few}{cpu_us};
    }
    my ($one, $other) = map { Mnet::Bench::Ledger::commas($_) } $FEW, $MANY;
    $bench->row("processor time of new_grade, $one grades", Mnet::Bench::median(@few), unit => 'us');
    $bench->row("processor time of new_grade, $other grades", Mnet::Bench::median(@many), unit => 'us');
    $bench->row('    ratio of the two', Mnet::Bench::median(@ratio), most => 1.2, rounds => [map { 0 + sprintf '%.3f', $_ } @ratio]);
    $bench->row("new_grade a second, on the disk, $other grades, 1 client", Mnet::Bench::median(@rate), unit => '1/s');
    for my $format (qw(csv json)) {
        my ($little, $much) = map { [export($_, $format)] } $few, $many;
        $bench->row("memory of an export as $format, $one grades", $little->[0], unit => 'KiB');
        $bench->row("memory of an export as $format, $other grades", $much->[0], unit => 'KiB');
        $bench->row('    growth', $much->[0] - $little->[0], unit => 'KiB', most => 1024);
        $bench->row('    length of the larger', $much->[1] / 1024, unit => 'KiB');
    }
    $_->stop for $few, $many;
    return;
}

sub commas { my $n = shift; 1 while $n =~ s/(\d)(\d{3})(?!\d)/$1,$2/; return $n }

return { name => 'ledger', about => 'a grade where there are 100,000 beside 1,000; memory of an export', run => \&run };
