#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# Restarts: keys and settings across a graceful one under traffic, a configuration with a mistake in
# it, a stop while a peer hangs, a killed server.

use strict;
use warnings;
use FindBin qw($Bin);
use lib "$Bin/lib";
use IO::Socket::INET;
use Test::More;
use Time::HiRes qw(time);
use Mnet::Harness;

my $CALL = '<?xml version="1.0"?><methodCall><methodName>system/keyswap</methodName><params/></methodCall>';

sub call {
    my ($h) = @_;
    my $got = $h->http(POST => $h->url(0, '/mnet/xmlrpc/server.php'), {}, $CALL);
    return $got->{status} == 200 && $got->{content} =~ /BEGIN CERTIFICATE/;
}

sub key {
    my ($h, $i) = @_;
    return $h->http(GET => $h->url($i, '/mnet/publickey.php'))->{content};
}

# Calls from another process until told to stop; the number of calls and of failures.
sub traffic {
    my ($h) = @_;
    pipe my $in, my $out or die;
    pipe my $told, my $tell or die;
    my $pid = fork // die;
    if (!$pid) {
        close $tell;
        my ($calls, $bad, $vec) = (0, 0, '');
        vec($vec, fileno $told, 1) = 1;
        until (select my $ready = $vec, undef, undef, 0) {
            $calls++;
            $bad++ if !call($h);
        }
        syswrite $out, "$calls $bad\n";
        POSIX::_exit(0);
    }
    return sub {
        close $tell;
        close $out;
        my $line = <$in>;
        waitpid $pid, 0;
        return split ' ', $line;
    };
}

my $h = Mnet::Harness->new(sites => 2)->start;
my $before = key($h, 0);
like($before, qr/BEGIN CERTIFICATE/, 'a key');

subtest 'graceful under traffic' => sub {
    my $end = traffic($h);
    my @pids = $h->children;
    for (1 .. 8) {
        $h->graceful(at_once => 1);
        key($h, 0) for 1 .. 20; # those of now serve before they are followed
    }
    my ($calls, $bad) = $end->();
    cmp_ok($calls, '>', 20, "$calls calls");
    is($bad, 0, 'none of them failed');
    is(key($h, 0), $before, 'the key is the same');
    my %old = map { $_ => 1 } @pids;
    Mnet::Harness::wait_for(sub { !grep { $old{$_} } $h->children });
    is_deeply([grep { $old{$_} } $h->children], [], 'the first children are gone');
};

subtest 'a changed configuration' => sub {
    $h->configure(config => "MnetMaxBody 2k\n<MnetPeer https://new.example>\n</MnetPeer>\n", site_config => "MnetSiteName \"New Name\"\n");
    $h->graceful;
    is($h->http(POST => $h->url(0, '/mnet/xmlrpc/server.php'), {}, 'x' x 3000)->{status}, 413, 'is in force');
    like($h->mnetctl('--json', '-w', $h->wwwroot(0), 'peers', 'list')->{out}, qr{https://new\.example}, 'and mnetctl knows');
    is(key($h, 0), $before, 'the key is the same');
    my @ports = @{ $h->{ports} };
    $h->configure(sites => 1, config => '');
    $h->graceful;
    isnt($h->mnetctl('--json', '-w', "http://127.0.0.1:$ports[1]", 'peers', 'list')->{exit}, 0, 'a site that is configured no more is not known');
    $h->configure(sites => 2);
    $h->graceful;
    like(key($h, 1), qr/BEGIN CERTIFICATE/, 'and is back with its configuration');
    is(scalar(() = $h->error_log =~ /MNET0630/g), 2, 'with the key it had');
};

subtest 'a mistake' => sub {
    $h->configure(config => "MnetKeyBits 1000\n");
    my ($exit, $output) = $h->configtest;
    isnt($exit, 0, 'configtest refuses it');
    like($output, qr/MnetKeyBits/, '  and says what it is');
    ok(call($h), 'the server that runs is none the worse');
    $h->configure(config => '');
    is(($h->configtest)[0], 0, 'mended');
    $h->graceful;
    ok(call($h), '  and restarted');
};

subtest 'stop, start, kill' => sub {
    my $started = time;
    $h->stop;
    cmp_ok(time - $started, '<', 5, 'a stop is quick');
    ok(!IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $h->port(0)), 'and is one');
    $h->start;
    is(key($h, 0), $before, 'started again, with the same key');
    $h->kill9;
    $h->start;
    is(key($h, 0), $before, 'killed and started again, with the same key');
    ok(call($h), 'it answers');
    $h->stop;
};

# A peer that takes connections and never says a word: the watchdog asks it for its certificate.
for my $mpm (qw(event prefork)) {
    subtest "a peer that hangs, under $mpm" => sub {
        my $silent = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 5) or die;
        my $hanging = Mnet::Harness->new(mpm => $mpm, config => "MnetTimeout 60s\n<MnetPeer http://127.0.0.1:@{[$silent->sockport]}>\n</MnetPeer>\n")->start;
        my $ready = '';
        vec($ready, fileno $silent, 1) = 1;
        ok(select($ready, undef, undef, 20), 'the watchdog calls it') or diag $hanging->error_log;
        ok(call($hanging), 'requests are answered meanwhile');
        my @old = $hanging->children;
        $hanging->graceful;
        ok(call($hanging), 'and after a graceful restart');
        my $started = time;
        $hanging->halt;
        cmp_ok(time - $started, '<', 5, 'a stop does not wait for it');
        $hanging->stop;
    };
}

done_testing;
