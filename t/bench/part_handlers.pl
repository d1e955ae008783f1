# SPDX-License-Identifier: Apache-2.0
#
# A call that a local application answers: the processor time of httpd for it, beside its
# cryptography; the application's own is not counted.

package Mnet::Bench::Handlers;

use strict;
use warnings;
use Mnet::Backend;

sub run {
    my ($bench) = @_;
    my ($tcp, $unix) = (Mnet::Backend->start('bench'), Mnet::Backend->start('bench', unix => 1));
    my $h = $bench->site(publish => 'bench', config =>
        "MnetBackend bench/reads/api.php/x @{[$tcp->url]} service=bench readonly\n"
        . "MnetBackend bench/changes/api.php/x @{[$tcp->url]} service=bench\n"
        . "MnetBackend bench/json/api.php/x @{[$tcp->url('/json')]} service=bench format=json readonly\n"
        . "MnetBackend bench/unix/api.php/x @{[$unix->url]} service=bench readonly\n");
    my @kinds = (['reads', 'that only reads, XML-RPC'], ['changes', 'that changes something'], ['json', 'JSON-RPC'], ['unix', 'UNIX socket']);
    $bench->load($h, calls => 300, clients => 2, method => "bench/$_->[0]/api.php/x") for @kinds;
    my (%ratio, %cpu, @floor);
    for (1 .. $bench->{rounds}) {
        for my $kind (map { $_->[0] } @kinds) {
            my $before = Mnet::Bench::floor();
            my $one = $bench->load($h, calls => 1000, clients => 1, method => "bench/$kind/api.php/x");
            my $floor = ($before + Mnet::Bench::floor()) / 2;
            push @floor, $floor;
            push @{ $cpu{$kind} }, $one->{cpu_us};
            push @{ $ratio{$kind} }, $one->{cpu_us} / $floor;
        }
    }
    $bench->row('cryptographic floor of a call (2 private, 2 public)', Mnet::Bench::median(@floor), unit => 'us');
    for (@kinds) {
        my ($kind, $what) = @$_;
        $bench->row("processor time of a call to an application, $what", Mnet::Bench::median(@{ $cpu{$kind} }), unit => 'us');
        $bench->row('    over the floor', Mnet::Bench::median(@{ $ratio{$kind} }), $kind eq 'changes' ? () : (most => 1.25),
            rounds => [map { 0 + sprintf '%.3f', $_ } @{ $ratio{$kind} }]);
    }
    $h->stop;
    return;
}

return { name => 'handlers', about => 'a call that a local application answers, beside its cryptography', run => \&run };
