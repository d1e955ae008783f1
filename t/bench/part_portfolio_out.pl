# SPDX-License-Identifier: Apache-2.0
#
# Sending a large package: by fetch_file, beside the bare cryptography and encoding of the same bytes
# and in the memory of a small message; and by the GET of a location, beside the same file served
# plainly by the same httpd.  MNET_BENCH_BYTES: of the package, 1 GiB by default.

package Mnet::Bench::PortfolioOut;

use strict;
use warnings;
use IO::Socket::INET;
use Time::HiRes qw(sleep time);
use Mnet::SignOn;

my $BUILD = $ENV{MNET_BUILD} // 'build';
my $BYTES = $ENV{MNET_BENCH_BYTES} // 1 << 30;
my $TUNING = "StartServers 1\nServerLimit 1\nThreadsPerChild 16\nMinSpareThreads 1\nMaxSpareThreads 16\n"
    . "MaxRequestWorkers 16\nMaxKeepAliveRequests 0\nMaxConnectionsPerChild 0\n";

sub random_file {
    my ($name, $bytes) = @_;
    open my $in, '<:raw', '/dev/urandom' or die $!;
    open my $out, '>:raw', $name or die "$name: $!";
    for (my $left = $bytes; $left > 0;) {
        my $n = sysread $in, my $piece, $left < 1 << 20 ? $left : 1 << 20 or die $!;
        print $out $piece;
        $left -= $n;
    }
    close $out or die $!;
    return;
}

# Sends a request and reads the answer away: its head, how many bytes followed, how long it took, and
# by how much the server's memory had grown at most.
sub exchange {
    my ($h, $request) = @_;
    my $before = Mnet::Bench::rss_kib($h);
    my ($start, $grown, $looked, $got, $head) = (time, 0, 0, 0, '');
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $h->port(0)) or die "connect: $!";
    for (my $at = 0; $at < length $request;) {
        $at += syswrite $socket, $request, 65536, $at or die "the request was not taken: $!";
    }
    my $piece;
    while (my $n = sysread $socket, $piece, 1 << 20) {
        if ($head !~ /\r\n\r\n/) {
            $head .= $piece;
            $n = length($head) - $+[0] if $head =~ /\r\n\r\n/;
        }
        $got += $n if $head =~ /\r\n\r\n/;
        if (time - $looked > 0.1) {
            $looked = time;
            my $more = Mnet::Bench::rss_kib($h) - $before;
            $grown = $more if $more > $grown;
        }
        last if $head =~ /^Content-Length: (\d+)/mi && $got >= $1;
    }
    my $took = time - $start;
    die "the answer: $head" if $head !~ m{\AHTTP/1.1 200};
    return { bytes => $got, seconds => $took, grown => $grown };
}

sub request {
    my ($t, $method, $path, $body) = @_;
    my ($host) = $t->site =~ m{^http://([^/]+)};
    return "$method $path HTTP/1.1\r\nHost: $host\r\nConnection: close\r\nUser-Agent: Mahara\r\n"
        . (defined $body ? "Content-Type: text/xml\r\nContent-Length: " . length($body) . "\r\n\r\n$body" : "\r\n");
}

# A package on its way: its id, and the token that the peer gave it.
my %used;

sub offer {
    my ($t, $file, @more) = @_;
    my $peer = $t->peer('mahara');
    my $got = $t->ctl(qw(portfolio send), $file, qw(--again --user alice --peer), $peer->wwwroot, @more);
    die "not sent: $got->{out}$got->{err}" if $got->{exit};
    my $until = time + 60;
    while (time < $until) {
        my $queue = $peer->state->{queue};
        my ($token) = grep { !$used{$_} && $queue->{$_}{ready} && ($queue->{$_}{data}{zipfilesha1} // '') eq $got->{json}{sha1} } keys %$queue;
        if ($token) {
            $used{$token} = 1;
            return ($got->{json}, $token, $queue->{$token}{location});
        }
        sleep 0.1;
    }
    die "the peer was never told\n" . $t->harness->error_log;
}

sub by_fetch_file {
    my ($bench, $t, $file) = @_;
    my ($h, $peer) = ($t->harness, $t->peer('mahara'));
    my (@ratio, @cpu, @grown, @floor, @seconds);
    for my $round (0 .. $bench->{rounds}) {
        my ($sent, $token) = offer($t, $round ? $file : "$file.small");
        my $body = $peer->body($t->site, 'portfolio/mahara/lib.php/fetch_file', [$token]);
        my $floor = $round ? 0 + qx($BUILD/bench/seal $sent->{size}) : 0;
        my $before = Mnet::Bench::cpu_us($h);
        my $got = exchange($h, request($t, POST => '/mnet/xmlrpc/server.php', $body));
        next if !$round; # so that every thread and buffer is there
        my $cpu = (Mnet::Bench::cpu_us($h) - $before) / 1e6;
        $floor = ($floor + qx($BUILD/bench/seal $sent->{size})) / 2;
        die "only $got->{bytes} bytes\n" . $h->error_log if $got->{bytes} < 2.3 * $sent->{size};
        push @ratio, $got->{seconds} / $floor;
        push @cpu, $cpu / $floor;
        push @grown, $got->{grown};
        push @floor, $floor;
        push @seconds, $got->{seconds};
    }
    my @rounds = (rounds => [map { 0 + sprintf '%.3f', $_ } @ratio]);
    $bench->row('bare cryptography and encoding of the package', Mnet::Bench::median(@floor), unit => 's');
    $bench->row('fetch_file of it', Mnet::Bench::median(@seconds), unit => 's');
    $bench->row('    ratio of the two', Mnet::Bench::median(@ratio), most => 2.0, @rounds);
    $bench->row('    the same of processor time', Mnet::Bench::median(@cpu));
    $bench->row('    growth of resident memory meanwhile', Mnet::Bench::median(@grown), unit => 'KiB', most => 16384);
    return;
}

sub by_location {
    my ($bench, $t, $file) = @_;
    my $h = $t->harness;
    $t->peer('mahara')->set(portfolio => { direct => 1 });
    my ($sent, $token, $location) = offer($t, $file, '--direct');
    (my $path = $location) =~ s{^http://[^/]+}{};
    my ($package) = grep { -s $_ == $sent->{size} } glob $h->root . '/portfolio/outgoing/.sending/*.zip';
    link $package, $h->htdocs(0) . '/package.zip' or die "link: $!";
    chmod 0644, $package;
    my %request = (plain => request($t, GET => '/package.zip'), file => request($t, GET => "$path&id=$token"));
    for my $which (qw(plain file)) {
        exchange($h, $request{$which});
    }
    my (@ratio, %rate, @grown);
    for my $round (1 .. $bench->{rounds}) {
        my %now;
        for my $which ($round % 2 ? qw(plain file) : qw(file plain)) {
            $now{$which} = exchange($h, $request{$which});
            push @{ $rate{$which} }, $now{$which}{bytes} / $now{$which}{seconds} / (1 << 20);
        }
        push @ratio, $now{plain}{seconds} / $now{file}{seconds};
    }
    $bench->row('the package served plainly', Mnet::Bench::median(@{ $rate{plain} }), unit => 'MiB/s');
    $bench->row('by the GET of its location', Mnet::Bench::median(@{ $rate{file} }), unit => 'MiB/s');
    $bench->row('    ratio of the two', Mnet::Bench::median(@ratio), least => 0.90,
        rounds => [map { 0 + sprintf '%.3f', $_ } @ratio]);
    return;
}

sub run {
    my ($bench) = @_;
    if (my $missing = Mnet::PhpPeer->missing) {
        print "  left out: $missing\n";
        return;
    }
    my $few = bless { %$bench, rounds => $bench->{rounds} > 3 ? 3 : $bench->{rounds} }, ref $bench;
    my $t = Mnet::Joined->start(peers => { mahara => { style => 'mahara', section => { MnetPublish => 'pf', MnetSubscribe => 'pf' } } },
        config => $TUNING . "MnetPortfolioInterval 1s\n", harness => { mpm => 'event', log_level => 'warn',
            site_config => sub { return 'MnetPortfolioDir ' . $_[0]->root . "/portfolio\nMnetPortfolioMaxSize 4g\n" } });
    my $file = $t->harness->root . '/film.mp4'; # a kind that is stored as it is
    random_file("$file.small", 1 << 20);
    random_file($file, $BYTES);
    by_fetch_file($few, $t, $file);
    $few->{rounds} = 15; # each takes a moment
    by_location($few, $t, $file);
    $t->harness->stop;
    return;
}

return { name => 'portfolio_out', about => 'a gigabyte by fetch_file, and by the GET of its location', run => \&run };
