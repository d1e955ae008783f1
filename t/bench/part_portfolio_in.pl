# SPDX-License-Identifier: Apache-2.0
#
# Receiving: a gigabyte by fetch_file, beside the bare cryptography and encoding of the same bytes; and
# what an item of the queue costs with many others waiting.

package Mnet::Bench::PortfolioIn;

use strict;
use warnings;
use JSON::PP;
use Time::HiRes qw(sleep time);

my $BUILD = $ENV{MNET_BUILD} // 'build';
my $SIZE = $ENV{MNET_BENCH_BYTES} // 1 << 30;
my $TUNING = "StartServers 1\nServerLimit 1\nThreadsPerChild 8\nMinSpareThreads 1\nMaxSpareThreads 8\n"
    . "MaxRequestWorkers 8\nMaxConnectionsPerChild 0\n";

sub json_of { return decode_json(scalar qx($_[0])) }

# The answer, each time anew: one that was given before is refused.
sub answer {
    my ($t, $dir) = @_;
    return json_of("$BUILD/bench/transfer make $dir/key.pem $dir/site.pem @{[$t->peer('moodle')->wwwroot]} $SIZE $dir/answer");
}

# A sender in C for the bytes, and the PHP peer for everything else: its key, and who calls.
sub sender {
    my ($t, $dir) = @_;
    my $peer = $t->peer('moodle');
    my $h = $t->harness;
    Mnet::Sender::write_bytes("$dir/key.pem", decode_json(Mnet::Harness::slurp($peer->dir . '/state.json'))->{key}{private});
    Mnet::Sender::write_bytes("$dir/site.pem", $h->http(GET => $h->url(0, '/mnet/publickey.php'))->{content});
    my $port = Mnet::PhpPeer::free_port();
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        exec "$BUILD/bench/transfer", 'serve', "$dir/answer", $port, "$dir/go" or POSIX::_exit(127);
    }
    my $config = Mnet::Harness::slurp($h->conf_file);
    $config =~ s{^(<MnetPeer .*)$}{$1\n    MnetPeerEndpoint http://127.0.0.1:$port}m or die 'no peer';
    Mnet::Harness::write_file($h->conf_file, $config);
    $h->graceful;
    return $pid;
}

# The time of a line of the log, in seconds of the day.
sub stamp {
    my ($log, $id, $n) = @_;
    my @lines = grep { /\b$id\b/ } split /\n/, $log;
    my ($hour, $minute, $second) = ($lines[$n - 1] // '') =~ /^\[\w+ \w+ +\d+ (\d+):(\d+):([\d.]+)/ or return;
    return 3600 * $hour + 60 * $minute + $second;
}

# One transfer, from "ready" to the package in its folder: seconds, processor seconds of the server,
# and how far its memory grew.
sub transfer {
    my ($t, $made, $n) = @_;
    my $h = $t->harness;
    my $package = $t->package('moodle', {}, zip => '');
    $package->{data} = { filesmanifest => { $made->{sha1} => { filename => "$n-$made->{filename}", sha1 => $made->{sha1},
            size => $made->{size} } }, totalsize => '' . $made->{size}, map { $_ => '' . $made->{$_} } qw(zipfilesha1 zipfilesize) };
    my ($memory, $cpu, $most) = (Mnet::Bench::rss_kib($h), Mnet::Bench::whole_cpu_us($h), 0);
    my $client = fork // die "fork: $!";
    if ($client == 0) {
        $t->ready('moodle', $package, wait => '1');
        POSIX::_exit(0);
    }
    my $started = time;
    while (1) {
        my $now = Mnet::Bench::rss_kib($h);
        $most = $now if $now > $most;
        my $log = $h->error_log;
        die 'it failed: ' . join "\n", grep { /MNET100[4-7]/ } split /\n/, $log if $log =~ /MNET100[4-7]/;
        my ($ready, $done) = (stamp($log, 'MNET1016', $n), stamp($log, 'MNET1003', $n));
        if (defined $done) {
            waitpid $client, 0;
            $done += 86400 if $done < $ready;
            return ($done - $ready, (Mnet::Bench::whole_cpu_us($h) - $cpu) / 1e6, $most - $memory);
        }
        die 'it takes too long' if time - $started > 900;
        sleep 0.05;
    }
}

sub fetch {
    my ($bench) = @_;
    require Mnet::Sender;
    require POSIX;
    my $t = Mnet::Sender->start(config => "${TUNING}MnetTimeout 60s\n", portfolio => "MnetPortfolioMaxSize 2g\nMnetPortfolioInterval 1s\n",
        harness => { mpm => 'event' });
    $t->land('moodle', 'alice');
    my $dir = $t->harness->root . '/bench';
    mkdir $dir;
    my $pid = sender($t, $dir);
    my $ok = eval {
        Mnet::Sender::write_bytes("$dir/go", '');
        my (@ratio, @share, @wall, @cpu, @floor, @growth);
        for my $n (1 .. ($ENV{MNET_BENCH_TRANSFERS} // 3)) {
            my $made = answer($t, $dir);
            my @bare = json_of("$BUILD/bench/transfer floor $SIZE");
            my ($seconds, $cpu, $growth) = transfer($t, $made, $n);
            push @bare, json_of("$BUILD/bench/transfer floor $SIZE");
            push @wall, $seconds;
            push @cpu, $cpu;
            push @floor, ($bare[0]{wall} + $bare[1]{wall}) / 2;
            push @ratio, $seconds / $floor[-1];
            push @share, 2 * $cpu / ($bare[0]{floor} + $bare[1]{floor});
            push @growth, $growth;
            system('rm', '-rf', glob $t->folder . '/*');
        }
        my $what = sprintf '%.3g GiB', $SIZE / (1 << 30);
        $bench->row("$what: bare cryptography and encoding", Mnet::Bench::median(@floor), unit => 's');
        $bench->row("$what received through fetch_file", Mnet::Bench::median(@wall), unit => 's');
        $bench->row('    processor time of the server', Mnet::Bench::median(@cpu), unit => 's');
        $bench->row('    ratio of the time to the bare one', Mnet::Bench::median(@ratio), most => 2.0,
            rounds => [map { 0 + sprintf '%.3f', $_ } @ratio]);
        $bench->row('    ratio of the processor times', Mnet::Bench::median(@share));
        $bench->row('    growth of resident memory', Mnet::Bench::median(@growth) / 1024, unit => 'MiB', most => 16,
            rounds => [map { 0 + sprintf '%.1f', $_ / 1024 } @growth]);
        1;
    };
    my $why = $@;
    kill 'KILL', $pid;
    waitpid $pid, 0;
    system('rm', '-rf', $dir, $t->folder);
    die $why if !$ok;
    $t->harness->stop;
    return;
}

sub queue {
    my ($bench) = @_;
    my %got;
    for (1 .. $bench->{rounds}) {
        my $got = json_of("$BUILD/bench/queue");
        $got->{"ratio$_"} = $got->{"many$_"} / $got->{"few$_"} for '', '_cpu', '_due', '_due_cpu';
        push @{ $got{$_} }, $got->{$_} for keys %$got;
    }
    for (['', 'waiting for their time'], ['_due', 'due before it']) {
        my ($which, $how) = @$_;
        my %rounds = map { $_ => [map { 0 + sprintf '%.3f', $_ } @{ $got{"ratio$which$_"} }] } '', '_cpu';
        $bench->row("an item put, claimed and done, with 100 others $how", Mnet::Bench::median(@{ $got{"few$which"} }), unit => 'us');
        $bench->row('    with 10,000', Mnet::Bench::median(@{ $got{"many$which"} }), unit => 'us');
        $bench->row('    ratio of the two', Mnet::Bench::median(@{ $rounds{''} }), most => 1.2, rounds => $rounds{''});
        $bench->row('    ratio of the processor times', Mnet::Bench::median(@{ $rounds{_cpu} }), rounds => $rounds{_cpu});
    }
    return;
}

sub run {
    my ($bench) = @_;
    queue($bench) if -x "$BUILD/bench/queue";
    fetch($bench);
    return;
}

return { name => 'portfolio_in', about => 'a gigabyte received; an item of the queue among 100 and 10,000', run => \&run };
