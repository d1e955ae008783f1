# SPDX-License-Identifier: Apache-2.0
package Mnet::Bench;

# What the benchmarks share: a site with one child, a peer that calls it, processor time of the
# server's processes, medians, and the report.

use strict;
use warnings;
use JSON::PP;
use POSIX qw(sysconf _SC_CLK_TCK);
use Time::HiRes qw(sleep time);
use Mnet::Harness;

my $BUILD = $ENV{MNET_BUILD} // 'build';

sub new {
    my ($class, %o) = @_;
    return bless { rounds => $o{rounds}, rows => [] }, $class;
}

sub median {
    my @sorted = sort { $a <=> $b } @_;
    return @sorted % 2 ? $sorted[ @sorted / 2 ] : ($sorted[ @sorted / 2 - 1 ] + $sorted[ @sorted / 2 ]) / 2;
}

# One figure: what, its value, the bound it is held against (if any), and the spread.
sub row {
    my ($self, $what, $value, %o) = @_;
    push @{ $self->{rows} }, { what => $what, value => 0 + sprintf('%.4g', $value), %o };
    printf "  %-58s %10.4g %s%s%s\n", $what, $value, $o{unit} // '',
        defined $o{most} ? "  (at most $o{most}" . ($value <= $o{most} ? ')' : ': MISSED)') : '',
        defined $o{least} ? "  (at least $o{least}" . ($value >= $o{least} ? ')' : ': MISSED)') : '';
    return;
}

sub report {
    my ($self, $file) = @_;
    open my $out, '>', $file or die "$file: $!";
    print $out JSON::PP->new->canonical->pretty->encode(
        { rounds => $self->{rounds}, processors => 0 + `nproc`, figures => $self->{rows} });
    close $out or die "$file: $!";
    my @missed = grep { defined $_->{most} && $_->{value} > $_->{most}
        || defined $_->{least} && $_->{value} < $_->{least} } @{ $self->{rows} };
    printf "\n%d figures, %d outside their bound; %s\n", scalar @{ $self->{rows} }, scalar @missed, $file;
    return;
}

# --- a site and its caller -----------------------------------------------------------------------

my $ONE_CHILD = "StartServers 1\nServerLimit 1\nThreadsPerChild 16\nMinSpareThreads 1\nMaxSpareThreads 16\n"
    . "MaxRequestWorkers 16\nMaxKeepAliveRequests 0\nMaxConnectionsPerChild 0\n";

# A key and certificate of a peer, made by openssl: the caller of load.
sub caller_files {
    my ($dir, $wwwroot) = @_;
    my ($key, $cert, $der) = map { "$dir/caller.$_" } qw(key pem p8);
    system("openssl req -x509 -newkey rsa:2048 -nodes -sha256 -days 30 -subj '/O=Caller/CN=" . ($wwwroot =~ s{/}{\\/}gr)
        . "' -keyout $key -out $cert 2>/dev/null && openssl pkcs8 -topk8 -nocrypt -in $key -outform DER -out $der") == 0
        or die 'openssl made no certificate';
    return { key => $der, pem => $cert, wwwroot => $wwwroot };
}

sub site {
    my ($self, %o) = @_;
    my $h = Mnet::Harness->new(mpm => 'event', log_level => 'warn', config => sub {
        my ($site) = @_;
        my $caller = $self->{caller} = caller_files($site->root, 'http://caller.example');
        return $ONE_CHILD . "<MnetPeer \"$caller->{wwwroot}\">\n    MnetPeerCertificate $caller->{pem}\n"
            . "    MnetPublish sso_idp sso_sp pf @{[$o{publish} // '']}\n</MnetPeer>\n" . ($o{config} // '');
    }, %{ $o{harness} || {} });
    $h->start;
    my $pem = $h->http(GET => $h->url(0, '/mnet/publickey.php'))->{content};
    open my $out, '>', $h->root . '/site.pem' or die $!;
    print $out $pem;
    close $out;
    return $h;
}

# Runs the load; what it measured, with the processor time that the server's child spent on it.
sub load {
    my ($self, $h, %o) = @_;
    my $caller = $o{caller} // $self->{caller};
    my $before = $o{no_cpu} ? 0 : cpu_us($h);
    my $json = qx($BUILD/bench/load --port @{[$h->port(0)]} --path @{[$o{path} // '/mnet/xmlrpc/server.php']} --host 127.0.0.1:@{[$h->port(0)]} --wwwroot $caller->{wwwroot} --key $caller->{key} --cert @{[$o{cert} // $h->root . '/site.pem']} --calls $o{calls} --clients $o{clients} @{[$o{method} ? "--method $o{method}" : '']} @{[$o{more} // '']});
    my $result = eval { decode_json($json) } or die "load said: $json";
    die "calls failed: $json\n" if $result->{errors};
    $result->{cpu_us} = (cpu_us($h) - $before) / $o{calls} unless $o{no_cpu};
    return $result;
}

# Processor time of all threads of the server's children, in microseconds.
sub cpu_us {
    my ($h) = @_;
    my $ns = 0;
    for my $pid ($h->children) {
        for my $file (glob "/proc/$pid/task/*/schedstat") {
            open my $in, '<', $file or next;
            $ns += (split ' ', <$in>)[0];
        }
    }
    return $ns / 1000;
}

# The same to a hundredth of a second, of threads that have ended as well: the queue's come and go.
sub whole_cpu_us {
    my ($h) = @_;
    my $ticks = 0;
    for my $pid ($h->children) {
        open my $in, '<', "/proc/$pid/stat" or next;
        my @fields = split ' ', <$in> =~ s/^.*\) //r;
        $ticks += $fields[11] + $fields[12]; # utime, stime
    }
    return $ticks * 1e6 / sysconf(_SC_CLK_TCK);
}

# Of the children, without the segment they share: its size is fixed, its pages count once touched.
sub rss_kib {
    my ($h) = @_;
    my $sum = 0;
    for my $pid ($h->children) {
        open my $in, '<', "/proc/$pid/status" or next;
        while (<$in>) {
            $sum += $1 if /^Rss(?:Anon|File):\s+(\d+) kB/;
        }
    }
    return $sum;
}

sub floor {
    my $json = qx($BUILD/bench/floor 5 200);
    return decode_json($json)->{floor_us};
}

# --- what is measured ----------------------------------------------------------------------------

sub wire {
    my ($self) = @_;
    my $h = $self->site;
    $self->load($h, calls => 500, clients => 2);
    my (@ratio, @floor, @cpu, %speed);
    for (1 .. $self->{rounds}) {
        my $before = floor();
        my $one = $self->load($h, calls => 1500, clients => 1);
        my $floor = ($before + floor()) / 2;
        push @floor, $floor;
        push @cpu, $one->{cpu_us};
        push @ratio, $one->{cpu_us} / $floor;
        push @{ $speed{1} }, $one;
        push @{ $speed{$_} }, $self->load($h, calls => 1500, clients => $_) for 2, 8;
    }
    $self->row('cryptographic floor of a call (2 private, 2 public)', median(@floor), unit => 'us');
    $self->row('processor time of a call in the server', median(@cpu), unit => 'us');
    $self->row('ratio of the two', median(@ratio), most => 1.15, rounds => [map { 0 + sprintf '%.3f', $_ } @ratio]);
    for my $c (1, 2, 8) {
        my @runs = @{ $speed{$c} };
        $self->row("calls per second, $c client" . ($c > 1 ? 's' : ''), median(map { $_->{per_second} } @runs), unit => '1/s');
        $self->row('    median of a call', median(map { $_->{p50_us} } @runs), unit => 'us');
        $self->row('    99th percentile', median(map { $_->{p99_us} } @runs), unit => 'us');
    }
    $self->row('calls per second that the floor would allow on one processor', 1e6 / median(@floor), unit => '1/s');
    $h->stop;
    return;
}

sub php {
    my ($self) = @_;
    require Mnet::PhpPeer;
    if (my $missing = Mnet::PhpPeer->missing) {
        print "  left out: $missing\n";
        return;
    }
    my $ours = $self->site;
    my $caller = $self->{caller};
    my $peer;
    my $theirs = Mnet::Harness->new(mpm => 'event', bare => 1, modules => [qw(proxy proxy_fcgi)], config => sub {
        my ($h) = @_;
        $peer = Mnet::PhpPeer->start_fpm(wwwroot => $h->wwwroot(0), workers => 2);
        return $ONE_CHILD . $peer->fpm_config;
    });
    $theirs->start;
    open my $in, '<', $caller->{pem} or die $!;
    $peer->trust($caller->{wwwroot}, join('', <$in>), 'moodle');
    open my $out, '>', $theirs->root . '/site.pem' or die $!;
    print $out $peer->pem;
    close $out;
    for my $c (1, 2, 8) {
        my (@here, @there);
        for (1 .. ($self->{rounds} + 1) / 2) {
            push @here, $self->load($ours, calls => 1000, clients => $c)->{per_second};
            push @there, $self->load($theirs, calls => 200, clients => $c, no_cpu => 1)->{per_second};
        }
        $self->row("calls per second, $c client" . ($c > 1 ? 's' : '') . ', mod_mnet', median(@here), unit => '1/s');
        $self->row('    PHP peer under php-fpm, 2 workers', median(@there), unit => '1/s');
        $self->row('    mod_mnet over PHP', median(@here) / median(@there));
    }
    $_->stop for $ours, $theirs;
    $peer->stop;
    return;
}

sub memory {
    my ($self) = @_;
    my $h = $self->site;
    # What a start does once is over when it has called its peer, who is not there.
    my $until = time + 20;
    sleep 0.05 until $h->error_log =~ /MNET0460/ || time > $until;
    # As many callers as threads: one that is used for the first time later would count as growth.
    $self->load($h, calls => 1000, clients => 16);
    my $early = rss_kib($h);
    $self->load($h, calls => 3000, clients => 16) for 1 .. 3;
    my $late = rss_kib($h);
    $h->expect_log(qr{AH00484}); # as many callers as threads
    $self->row('resident memory after 1,000 calls', $early, unit => 'KiB');
    $self->row('resident memory after 10,000 calls', $late, unit => 'KiB');
    $self->row('growth', $late - $early, unit => 'KiB', most => 256);
    $h->stop;
    return;
}

sub peers {
    my ($self) = @_;
    my ($few, $many) = map { $self->site(config => $self->crowd($_)) } 9, 9_999;
    my (@ratio, @few, @many);
    $self->load($_, calls => 300, clients => 1, caller => $self->caller_of($_)) for $few, $many;
    for (1 .. $self->{rounds}) {
        my $a = $self->load($few, calls => 1500, clients => 1, cert => $few->root . '/site.pem', caller => $self->caller_of($few))->{cpu_us};
        my $b = $self->load($many, calls => 1500, clients => 1, cert => $many->root . '/site.pem', caller => $self->caller_of($many))->{cpu_us};
        push @few, $a;
        push @many, $b;
        push @ratio, $b / $a;
    }
    $self->row('processor time of a call with 10 peers', median(@few), unit => 'us');
    $self->row('processor time of a call with 10,000 peers', median(@many), unit => 'us');
    $self->row('ratio of the two', median(@ratio), most => 1.05, rounds => [map { 0 + sprintf '%.3f', $_ } @ratio]);
    $_->stop for $few, $many;
    return;
}

sub caller_of {
    my ($self, $h) = @_;
    return { key => $h->root . '/caller.p8', pem => $h->root . '/caller.pem', wwwroot => 'http://caller.example' };
}

# So many more peers, all of one certificate each names by its own: their keys are never used.
sub crowd {
    my ($self, $n) = @_;
    return join '', map { "<MnetPeer \"http://peer$_.example\">\n    MnetPublish sso_idp\n</MnetPeer>\n" } 1 .. $n;
}

1;
