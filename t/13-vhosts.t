#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# Several virtual hosts, each a site of its own: wwwroot, key and peers; by port, by name with a path
# of its own, and two that are one site.

use strict;
use warnings;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Test::More;
use Mnet::Harness;

my $CALL = '<?xml version="1.0"?><methodCall><methodName>system/keyswap</methodName><params/></methodCall>';

my $h = Mnet::Harness->new(sites => 3,
    config => "MnetTimeout 1s\n<MnetPeer https://all.example>\nMnetPublish pf\n</MnetPeer>\n",
    site_config => sub {
        my ($harness, $i) = @_;
        return "<MnetPeer https://peer$i.example>\nMnetPublish pf\n</MnetPeer>\n<MnetPeer https://all.example>\nMnetPeerCharset bytes\n</MnetPeer>\n";
    },
    extra => sub {
        my ($harness) = @_;
        my $port = $harness->port(0);
        return join '', map { <<"HOST" } ['a.example', '/moodle'], ['b.example', ''], ['c.example', '/x/y'];
<VirtualHost 127.0.0.1:$port>
    ServerName $_->[0]
    MnetEngine On
    MnetWwwroot http://$_->[0]:$port$_->[1]
</VirtualHost>
HOST
    });
$h->start;

# A certificate's CN, by the openssl tool.
sub cn {
    my ($pem) = @_;
    my $file = $h->root . '/one.pem';
    Mnet::Harness::write_file($file, $pem);
    my $got = $h->run(qw(openssl x509 -noout -subject -nameopt multiline -in), $file);
    return $got->{out} =~ /commonName\s*= (.*)/ ? $1 : "no CN: $got->{err}";
}

my %keys;
for my $i (0 .. 2) {
    my $got = $h->http(GET => $h->url($i, '/mnet/publickey.php'));
    is($got->{status}, 200, "the site of port $i");
    is(cn($got->{content}), $h->wwwroot($i), '  has a certificate of its own name');
    $keys{ $got->{content} }++;
}
my $port = $h->port(0);
for my $named (['a.example', '/moodle'], ['b.example', ''], ['c.example', '/x/y']) {
    my ($name, $path) = @$named;
    my $got = $h->raw($port, "GET $path/mnet/publickey.php HTTP/1.0\r\nHost: $name:$port\r\n\r\n");
    my ($pem) = $got =~ /(-----BEGIN.*)/s;
    is(cn($pem), "http://$name:$port$path", "the site $name$path has its own");
    $keys{$pem}++;
    my $length = length $CALL;
    like($h->raw($port, "POST $path/mnet/xmlrpc/server.php HTTP/1.0\r\nHost: $name:$port\r\nContent-Length: $length\r\n\r\n$CALL"),
        qr/<methodResponse>.*BEGIN CERTIFICATE/s, '  and answers');
    unlike($h->raw($port, "GET $path/none/mnet/publickey.php HTTP/1.0\r\nHost: $name:$port\r\n\r\n"), qr/BEGIN/, '  nowhere else');
}
is(scalar keys %keys, 6, 'six sites, six keys');
unlike($h->raw($port, "GET /mnet/publickey.php HTTP/1.0\r\nHost: a.example:$port\r\n\r\n"), qr/BEGIN/, 'a site is not at the path of another');

for my $i (0 .. 2) {
    my $got = $h->mnetctl('-w', $h->wwwroot($i), '--json', 'peers', 'list');
    is($got->{exit}, 0, "mnetctl reads the peers of site $i") or diag $got->{err};
    like($got->{out}, qr{https://peer$i\.example}, '  its own');
    like($got->{out}, qr{https://all\.example}, '  those of the whole server');
    unlike($got->{out}, qr{https://peer[^$i]\.example}, '  not those of others');
}
$h->stop;

subtest 'two virtual hosts that are one site' => sub {
    my $two = Mnet::Harness->new(sites => 2, bare => 1, site_config => "MnetEngine On\nMnetWwwroot http://one.example\n")->start;
    my @got = map { $two->http(GET => $two->url($_, '/mnet/publickey.php'))->{content} } 0, 1;
    like($got[0], qr/BEGIN CERTIFICATE/, 'a key');
    is($got[0], $got[1], 'the same at both');
    is(scalar(() = $two->error_log =~ /MNET0630/g), 1, 'made once');
    $two->stop;
};

subtest 'inherited by every virtual host' => sub {
    my $all = Mnet::Harness->new(sites => 2, bare => 1, config => "MnetEngine On\nMnetWwwroot http://one.example\n",
        site_config => sub { return $_[1] ? "MnetEngine Off\n" : '' })->start;
    is($all->http(GET => $all->url(0, '/mnet/publickey.php'))->{status}, 200, 'one that says nothing has the main one');
    is($all->http(GET => $all->url(1, '/mnet/publickey.php'))->{status}, 404, 'one that is Off is Off');
    $all->stop;
};

done_testing;
