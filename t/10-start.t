#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# The module in a real httpd, under each MPM and beside mod_ssl: it starts, makes a key that nobody
# else can read, and answers at its paths.

use strict;
use warnings;
use FindBin qw($Bin);
use lib "$Bin/lib";
use File::Find;
use Test::More;
use Mnet::Harness;

my $PEM = qr/\A-----BEGIN CERTIFICATE-----\n(?:[A-Za-z0-9+\/=]{1,64}\n)+-----END CERTIFICATE-----\n\z/;

sub keyswap {
    return qq(<?xml version="1.0" encoding="utf-8"?>\n<methodCall><methodName>system/keyswap</methodName>)
        . '<params><param><value><string>http://stranger.example</string></value></param>'
        . '<param><value><string>no certificate</string></value></param></params></methodCall>';
}

# The string of a plain response.
sub answer {
    my ($xml) = @_;
    my ($text) = $xml =~ m{<param>\s*<value>\s*<string>(.*?)</string>}s or return;
    $text =~ s/&#(\d+);/chr $1/ge;
    return $text;
}

sub modes {
    my ($dir) = @_;
    my @wrong;
    find({ no_chdir => 1, wanted => sub {
        my @stat = lstat $_ or return;
        my ($mode, $want) = ($stat[2] & 07777, -d _ ? 0700 : 0600);
        push @wrong, sprintf('%s is %04o', $_, $mode) if $mode != $want;
        push @wrong, "$_ belongs to $stat[4]" if $stat[4] != ($> || getpwnam 'www-data');
    } }, $dir);
    return @wrong;
}

sub endpoints {
    my ($h) = @_;
    my $key = $h->http(GET => $h->url(0, '/mnet/publickey.php'));
    is($key->{status}, 200, 'publickey.php');
    is($key->{headers}{'content-type'}, 'text/plain; charset=utf-8', '  its type');
    like($key->{content}, $PEM, '  a certificate as OpenSSL writes it');
    my $head = $h->http(HEAD => $h->url(0, '/mnet/publickey.php'));
    is($head->{status}, 200, '  HEAD');
    is($head->{headers}{'content-length'}, length $key->{content}, '  its length');
    my $post = $h->http(POST => $h->url(0, '/mnet/publickey.php'), {}, 'x');
    is("$post->{status} $post->{headers}{allow}", '405 GET, HEAD', '  no POST');
    my $swap = $h->http(POST => $h->url(0, '/mnet/xmlrpc/server.php'), { 'Content-Type' => 'text/xml' }, keyswap());
    is($swap->{status}, 200, 'a bare keyswap');
    is($swap->{headers}{'content-type'}, 'text/xml; charset=utf-8', '  its type');
    is($swap->{headers}{'content-length'}, length $swap->{content}, '  its length');
    is(answer($swap->{content}), $key->{content}, '  answers with that certificate') or diag $swap->{content};
    return;
}

sub refusals {
    my ($h) = @_;
    my $server = $h->url(0, '/mnet/xmlrpc/server.php');
    for my $method (qw(GET HEAD PUT DELETE OPTIONS TRACE PROPFIND)) {
        my $got = $h->http($method => $server);
        is("$got->{status} $got->{headers}{allow}", '405 POST', "$method is refused");
        like($got->{content}, qr/MNET server of this site/, '  and told what this is') if $method ne 'HEAD';
    }
    is($h->http(POST => $server, { 'Content-Encoding' => 'gzip' }, 'x')->{status}, 415, 'gzip: 415');
    is($h->http(POST => $server, { 'Content-Encoding' => 'identity' }, keyswap())->{status}, 200, 'identity is none');
    my $started = time;
    my $large = $h->raw($h->port, "POST /mnet/xmlrpc/server.php HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999\r\n\r\n<");
    like($large, qr/\AHTTP\/1\.1 413 .*^Connection: close\r\n/ms, 'a body over MnetMaxBody: 413, and closed');
    cmp_ok(time - $started, '<', 5, '  before it is sent');
    like($h->raw($h->port, "POST /mnet/xmlrpc/server.php HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
        . "Content-Length: 99999999999999999999999\r\n\r\n"), qr/\AHTTP\/1\.1 4(?:13|00) /, 'one that fits no number');
    my $chunks = "4000\r\n" . ('<' x 0x4000) . "\r\n";
    my $chunked = $h->raw($h->port, "POST /mnet/xmlrpc/server.php HTTP/1.1\r\nHost: x\r\n"
        . "Transfer-Encoding: chunked\r\n\r\n" . $chunks x 700 . "0\r\n\r\n");
    like($chunked, qr/\AHTTP\/1\.1 413 /, 'chunked over MnetMaxBody: 413');
    my $cut = $h->raw($h->port, "POST /mnet/xmlrpc/server.php HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n<methodCall>", shut => 1);
    like($cut, qr/\A(?:HTTP\/1\.1 400 |\z)/, 'a body cut short: 400 or nobody to tell');
    like($h->raw($h->port, "POST /mnet/xmlrpc/server.php HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
        qr/\AHTTP\/1\.1 400 /, 'broken chunks: 400');
    my $slow = $h->raw($h->port, "POST /mnet/xmlrpc/server.php HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n<", wait => 20);
    like($slow, qr/\AHTTP\/1\.1 408 /, 'a sender that stops: 408');
    return;
}

sub keep_alive {
    my ($h) = @_;
    my $body = keyswap();
    my $request = "POST /mnet/xmlrpc/server.php HTTP/1.1\r\nHost: x\r\nContent-Length: " . length($body) . "\r\n";
    my $chunked = "POST /mnet/xmlrpc/server.php HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        . join('', map { sprintf("%x\r\n%s\r\n", length, $_) } unpack '(a7)*', $body) . "0\r\n\r\n";
    my $got = $h->raw($h->port, "$request\r\n$body$chunked${request}Connection: close\r\n\r\n$body");
    my $count = () = $got =~ /^HTTP\/1\.1 200 OK\r\n.*?<methodResponse>/msg;
    is($count, 3, 'three calls on one connection, one of them chunked') or diag $got;
    return;
}

for my $mpm (qw(event worker prefork)) {
    subtest $mpm => sub {
        my $h = Mnet::Harness->new(mpm => $mpm, modules => [qw(ssl socache_shmcb)], config => "Timeout 2\n");
        $h->expect_log(qr/\[core:error\].*AH0(?:1587|1588|1590)/);   # httpd's own word on broken chunks
        $h->start;
        like($h->error_log, qr/MNET0630: made a 2048-bit key for \Q@{[$h->wwwroot]}\E; .*fingerprint.* (?:[0-9A-F]{2}:){31}[0-9A-F]{2}$/m,
            'a key was made, with its fingerprint in the log');
        is_deeply([modes($h->state_dir)], [], 'nobody but the server may look at it');
        endpoints($h);
        refusals($h);
        keep_alive($h);
        unlike($h->error_log, qr/PRIVATE|BEGIN/, 'no key in the log');
        $h->stop;
        my $before = $h->error_log;
        $h->start;
        is(scalar(() = $h->error_log =~ /MNET0630/g), scalar(() = $before =~ /MNET0630/g), 'the next start makes no other');
        $h->stop;
    };
}

subtest 'nothing of ours is On' => sub {
    my $h = Mnet::Harness->new(bare => 1, config => "MnetEngine Off\n<MnetPeer http://peer.example>\n</MnetPeer>\n")->start;
    is($h->http(GET => $h->url(0, '/mnet/publickey.php'))->{status}, 404, 'no path is ours');
    ok(!-e $h->state_dir, 'no state is made');
    $h->stop;
};

subtest 'a state that cannot be opened' => sub {
    my $h = Mnet::Harness->new->start;
    $h->expect_log(qr/AH00052: .*Killed/, qr/\[mnet:error\] .*MNET0\d+/);
    rename $h->state_dir, $h->state_dir . '.away' or die;
    kill 'KILL', $h->children;
    ok($h->wait_log(qr/MNET0663: .*503/, 20), 'a new process says why it cannot');
    my $got = $h->http(POST => $h->url(0, '/mnet/xmlrpc/server.php'), {}, keyswap());
    is($got->{status}, 503, 'and answers 503');
    ok($got->{headers}{'retry-after'}, '  with a time to come back');
    is($h->http(GET => $h->url(0, '/'))->{status}, 404, 'the rest of the server is as ever');
    rename $h->state_dir . '.away', $h->state_dir or die;
    $h->stop;
};

done_testing;
