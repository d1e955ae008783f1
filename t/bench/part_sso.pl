# SPDX-License-Identifier: Apache-2.0
#
# Sign-on: what a session costs each request that it covers, and what a whole sign-on costs the two
# sites, beside its cryptography.

package Mnet::Bench::SignOn;

use strict;
use warnings;
use IO::Socket::INET;
use MIME::Base64 qw(encode_base64);
use Mnet::Network;

my $BUILD = $ENV{MNET_BUILD} // 'build';
my $HERE = __FILE__ =~ s{[^/]+$}{}r;
my $TUNING = "StartServers 1\nServerLimit 1\nThreadsPerChild 16\nMinSpareThreads 1\nMaxSpareThreads 16\n"
    . "MaxRequestWorkers 16\nMaxKeepAliveRequests 0\nMaxConnectionsPerChild 0\n";
my $PROVIDER = 'https://moodle.example';

# Requests per second, and the server's processor time for one.
sub wrk {
    my ($h, $ids, $path, $seconds) = @_;
    my $before = Mnet::Bench::cpu_us($h);
    my ($port) = $h->port(0);
    my $said = qx(wrk -t1 -c8 -d${seconds}s -s ${HERE}cookies.lua http://127.0.0.1:$port -- $ids mnet_session_$port $path 2>&1);
    my ($count) = $said =~ /(\d+) requests in/ or die "wrk said: $said";
    my ($per_second) = $said =~ m{Requests/sec:\s*([\d.]+)};
    die "requests failed: $said" if $said =~ /Non-2xx|Socket errors/;
    return ($per_second, (Mnet::Bench::cpu_us($h) - $before) / $count);
}

sub sessions {
    my ($bench, $live) = @_;
    my $h = Mnet::Harness->new(mpm => 'event', log_level => 'warn', modules => [qw(authz_user)],
        config => "${TUNING}<MnetPeer \"$PROVIDER\">\nMnetPublish sso_sp\nMnetSubscribe sso_idp\n</MnetPeer>\n"
            . "<Location /in>\nAuthType Mnet\nRequire valid-user\n</Location>\n");
    for my $where (qw(in out)) {
        mkdir $h->htdocs(0) . "/$where";
        Mnet::Harness::write_file($h->htdocs(0) . "/$where/file.html", 'x' x 6144);
    }
    $h->start;
    my $ids = $h->root . '/ids';
    system("$BUILD/bench/fill", $h->state_dir, $h->wwwroot(0), $PROVIDER, $live, $ids) == 0 or die 'no sessions were made';
    my $refused = $h->http(GET => $h->url(0, '/in/file.html'), { Accept => '*/*' })->{status};
    die "without a session: $refused" if $refused != 401;
    wrk($h, $ids, "/$_/file.html", 1) for qw(out in);
    my (@ratio, @cpu, %rate);
    for my $round (1 .. $bench->{rounds}) {
        my %now;
        for my $where ($round % 2 ? qw(out in) : qw(in out)) {
            $now{$where} = [wrk($h, $ids, "/$where/file.html", 2)];
            push @{ $rate{$where} }, $now{$where}[0];
        }
        push @ratio, $now{in}[0] / $now{out}[0];
        push @cpu, $now{in}[1] - $now{out}[1];
    }
    my $what = Mnet::Bench::commas($live) . ' live sessions';
    $bench->row("a file without AuthType Mnet, $what", Mnet::Bench::median(@{ $rate{out} }), unit => '1/s');
    $bench->row("the same file with it, $what", Mnet::Bench::median(@{ $rate{in} }), unit => '1/s');
    $bench->row('    ratio of the two', Mnet::Bench::median(@ratio), least => 0.95,
        rounds => [map { 0 + sprintf '%.3f', $_ } @ratio]);
    $bench->row('    processor time that it adds to a request', Mnet::Bench::median(@cpu), unit => 'us');
    $h->stop;
    return;
}

sub Mnet::Bench::commas { my $n = shift; 1 while $n =~ s/(\d)(\d{3})(?!\d)/$1,$2/; return $n }

# --- a whole sign-on -----------------------------------------------------------------------------

# A connection that stays, as a browser's does.
sub get {
    my ($sockets, $url, $more) = @_;
    my ($port, $path) = $url =~ m{^http://127\.0\.0\.1:(\d+)(/.*)};
    my $socket = $sockets->{$port} ||= IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) || die "connect: $!";
    syswrite $socket, "GET $path HTTP/1.1\r\nHost: 127.0.0.1:$port\r\nUser-Agent: bench\r\n$more\r\n";
    my $got = '';
    while ($got !~ /\r\n\r\n/ || length($got) < $+[0] + (($got =~ /^Content-Length: (\d+)/mi)[0] // 0)) {
        sysread $socket, $got, 65536, length $got or die "no answer from $url: $got";
    }
    return $got;
}

sub one {
    my ($sockets, $jump, $basic) = @_;
    my ($land) = get($sockets, $jump, $basic) =~ /^Location: (\S+)/mi or die 'nobody jumped';
    get($sockets, $land, '') =~ m{^Set-Cookie: mnet}mi or die 'nobody landed';
    return;
}

# Users are taken by name: what a password costs is not ours.
my $ANYBODY = "AuthBasicProvider anon\nAnonymous *\nAnonymous_MustGiveEmail Off\n";

# The ratios of rounds, and what they were made of.
sub rounds_of {
    my ($bench, $dir) = @_;
    local $ENV{TMPDIR} = $dir if defined $dir;
    my $n = Mnet::Network->start(config => $TUNING, harness => { mpm => 'event', log_level => 'warn', modules => ['authn_anon'] },
        site_config => sub { return Mnet::Network::identity_provider($_[1], $ANYBODY) =~ s/AuthBasicProvider file//r });
    my $h = $n->harness;
    my ($jump, %sockets) = ($n->jump(0, 1, '/'));
    my $basic = 'Authorization: Basic ' . encode_base64('alice:secret', '') . "\r\n";
    one(\%sockets, $jump, $basic) for 1 .. 100;
    my (@ratio, @cpu, @floor);
    for (1 .. $bench->{rounds}) {
        my $floor = Mnet::Bench::floor();
        %sockets = ();
        my $before = Mnet::Bench::cpu_us($h);
        one(\%sockets, $jump, $basic) for 1 .. 300;
        my $cpu = (Mnet::Bench::cpu_us($h) - $before) / 300;
        $floor = $floor + Mnet::Bench::floor(); # two calls: ours, and the provider's answer
        push @cpu, $cpu;
        push @floor, $floor;
        push @ratio, $cpu / $floor;
    }
    $h->stop;
    return (\@ratio, \@cpu, \@floor);
}

# All that both sites do from the jump to the cookie: two requests of the browser, the call between
# the sites, three transactions on the disk.
sub sign_on {
    my ($bench) = @_;
    my ($ratio, $cpu, $floor) = rounds_of($bench);
    $bench->row('cryptographic floor of a sign-on (two calls)', Mnet::Bench::median(@$floor), unit => 'us');
    $bench->row('processor time of a sign-on at both sites', Mnet::Bench::median(@$cpu), unit => 'us');
    $bench->row('    ratio of the two', Mnet::Bench::median(@$ratio), most => 1.25, rounds => [map { 0 + sprintf '%.3f', $_ } @$ratio]);
    return if !-w '/dev/shm';
    ($ratio, $cpu) = rounds_of($bench, '/dev/shm');
    $bench->row('the same with the state directory in memory, not on a disk', Mnet::Bench::median(@$cpu), unit => 'us');
    $bench->row('    ratio of that to the floor', Mnet::Bench::median(@$ratio), rounds => [map { 0 + sprintf '%.3f', $_ } @$ratio]);
    return;
}

sub run {
    my ($bench) = @_;
    sessions($bench, $_) for 10, 100_000;
    sign_on($bench);
    return;
}

return { name => 'sso', about => 'a file behind AuthType Mnet beside the same file without; a whole sign-on', run => \&run };
