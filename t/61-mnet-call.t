#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# SetHandler mnet-call: a local application posts a call, as JSON or as XML-RPC, and gets the peer's
# answer opened; what went wrong is told apart.

use strict;
use warnings;
use utf8;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Encode qw(decode_utf8 encode_utf8);
use JSON::PP;
use Test::More;
use Time::HiRes qw(sleep time);
use Mnet::Backend;
use Mnet::Harness;
use Mnet::Joined;
use Mnet::Network;

binmode $_, ':utf8' for Test::More->builder->output, Test::More->builder->failure_output, Test::More->builder->todo_output;
my ($yes, $no) = (JSON::PP::true, JSON::PP::false);
my $JSON = JSON::PP->new->utf8->allow_nonref->canonical;

my $t = Mnet::Joined->start(
    peers => { moodle => { style => 'moodle' }, mahara => { style => 'mahara' }, nobody => { style => 'moodle', stranger => 1 } },
    harness => { modules => [qw(authz_host)] },
    config => <<'CONF');
MnetTimeout 2s
MnetMaxBody 4m
<Location "/call">
    SetHandler mnet-call
    Require ip 127.0.0.1
</Location>
<Location "/closed">
    SetHandler mnet-call
    Require ip 192.0.2.1
</Location>
CONF
my $h = $t->harness;
$h->expect_log(qr{AH01630.*/closed});
my $moodle = $t->peer('moodle');

sub post {
    my ($body, %o) = @_;
    my $got = $h->http($o{method} // 'POST', $h->url(0, $o{path} // '/call'),
        { 'Content-Type' => 'application/json', %{ $o{headers} || {} } }, $body);
    $got->{json} = eval { $JSON->decode($got->{content}) };
    return $got;
}

sub call {
    my ($peer, $method, @params) = @_;
    return post($JSON->encode({ peer => $peer, method => $method, params => \@params }));
}

sub error_is {
    my ($got, $status, $kind, $what) = @_;
    is($got->{status}, $status, "$what: $status") or diag explain $got;
    is($got->{json}{error}{kind}, $kind, "  $kind") or diag explain $got;
    ok(length $got->{json}{error}{message}, '  with a message: ' . ($got->{json}{error}{message} // ''));
    is($got->{headers}{'mnet-error'}, $kind, '  and a header');
    return;
}

# --- answers -------------------------------------------------------------------------------------

for my $style (qw(moodle mahara)) {
    my $www = $t->peer($style)->wwwroot;
    for my $value ('é 漢 😀', '', -7, 1.5, $yes, $no, [], [1, [2]], { 'é' => ['x'] }) {
        my $got = call($www, 'test/echo/lib.php/first', $value);
        is($got->{status}, 200, "$style: " . JSON::PP->new->allow_nonref->encode($value)) or diag explain $got;
        is_deeply($got->{json}, { result => $value }, '  there and back');
    }
    my ($last) = reverse $t->peer($style)->requests;
    is($last->{method}, 'test/echo/lib.php/first', '  the peer was called');
    my $long = '漢' x 100_000;
    ok((call($www, 'test/echo/lib.php/first', $long)->{json}{result} // '') eq $long, 'a long text');
    my $fault = call($www, 'test/echo/lib.php/fail', 17, 'oh é');
    is($fault->{status}, 200, "a peer's fault: 200");
    is($fault->{json}{error}{kind}, 'fault', '  fault');
    # A Mahara tells no code.
    is($fault->{json}{error}{code}, 17, '  its code') if $style eq 'moodle';
}
is(post($JSON->encode({ peer => $moodle->wwwroot, method => 'system/listServices' }))->{status}, 200, 'params may be left out');
my $got = call($moodle->wwwroot, 'test/echo/lib.php/first', 1);
is($got->{headers}{'content-type'}, 'application/json', 'its type');
is($got->{headers}{'cache-control'}, 'no-store', '  not to be kept');

# --- what goes wrong -----------------------------------------------------------------------------

error_is(call('https://unknown.example', 'test/echo/lib.php/first', 1), 403, 'policy', 'an unknown peer');
error_is(call($t->peer('nobody')->wwwroot, 'test/echo/lib.php/first', 1), 403, 'policy', 'a site that is no peer');
error_is(call($moodle->wwwroot, 'local/other/lib.php/x', 1), 403, 'policy', 'a service not subscribed to');
$moodle->lie_once('garbage');
error_is(call($moodle->wwwroot, 'test/echo/lib.php/first', 1), 502, 'trust', 'an answer that is none');
$moodle->lie_once('hang:4');
my $started = time;
error_is(call($moodle->wwwroot, 'test/echo/lib.php/first', 1), 504, 'transport', 'no answer in time');
cmp_ok(time - $started, '<', 8, '  soon');
$moodle->stop;
error_is(call($moodle->wwwroot, 'test/echo/lib.php/first', 1), 502, 'transport', 'a peer that is down');
ok($moodle->restart, 'it is up again');

for my $bad (['', 'nothing'], ['{', 'half'], ['[]', 'an array'], ['{}', 'no peer'], ["\xff", 'not UTF-8'],
    ['{"peer": "https://a.example"}', 'no method'], ['{"peer": 1, "method": "a/bb"}', 'a peer that is no text'],
    ['{"peer": "https://a.example", "method": "a/bb", "params": {}}', 'params that are no array'],
    ['{"peer": "https://a.example", "method": "a/bb", "paramz": []}', 'a member that is not known'],
    ['{"peer": "https://a.example", "method": "nonsense"}', 'a method that is none'],
    ['{"peer": "https://a.example", "method": "a/bb\r\nX: y"}', 'a method with a line end'],
    ['{"peer": "https://a.example", "method": "mod_mnet/nonsense"}', 'a method of ours that is none'],
    ['{"peer": "a", "peer": "b", "method": "a/bb"}', 'a member twice'],
    ['{"peer": "https://a.example", "method": "a/bb", "params": [{"$base64": 1}]}', 'bytes that are none'],
    ['[' x 100_000, 'very deep']) {
    error_is(post($bad->[0]), 400, 'request', $bad->[1]);
}
error_is(post('{}', method => 'GET'), 405, 'request', 'GET');
is(post('{}', method => 'GET')->{headers}{allow}, 'POST', '  Allow');
error_is(post('{}', method => 'PUT'), 405, 'request', 'PUT');
error_is(post('x' x 5_000_000), 413, 'request', 'over MnetMaxBody');
error_is(post('{}', headers => { 'Content-Encoding' => 'gzip' }), 415, 'request', 'compressed');

# --- a page of another site ----------------------------------------------------------------------

my $good = $JSON->encode({ peer => $moodle->wwwroot, method => 'test/echo/lib.php/first', params => [1] });
for my $type ('text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data', 'text/plain; x=application/json', 'application/jsonx') {
    error_is(post($good, headers => { 'Content-Type' => $type }), 415, 'request', $type);
}
is($t->post($good, path => '/call', headers => { 'Content-Type' => undef })->{status}, 415, 'no type at all');
error_is(post($good, headers => { 'Content-Type' => 'application/json; charset=iso-8859-1' }), 415, 'request', 'another charset');
is(post($good, headers => { 'Content-Type' => 'application/json; charset=utf-8' })->{status}, 200, 'UTF-8 by name');
error_is(post($good, headers => { Origin => 'https://evil.example' }), 403, 'request', 'the Origin of another site');
error_is(post($good, headers => { Origin => 'null' }), 403, 'request', 'an Origin that the browser keeps to itself');
error_is(post($good, headers => { 'Sec-Fetch-Site' => 'cross-site' }), 403, 'request', 'what a browser calls cross-site');
is(post($good, headers => { 'Sec-Fetch-Site' => 'same-origin' })->{status}, 200, '  of this site it is taken');
my $preflight = $h->http(OPTIONS => $h->url(0, '/call'), { Origin => 'https://evil.example',
    'Access-Control-Request-Method' => 'POST', 'Access-Control-Request-Headers' => 'content-type' });
is($preflight->{status}, 405, 'a preflight gets no leave');
ok(!(grep { /^access-control/ } keys %{ $preflight->{headers} }), '  of no kind');
is(post($good, path => '/closed')->{status}, 403, "httpd's own Require holds");

# --- XML-RPC -------------------------------------------------------------------------------------

sub xml_call {
    my ($value, %o) = @_;
    my $method = $o{call} // 'test/echo/lib.php/first';
    my $xml = encode_utf8(qq(<?xml version="1.0"?><methodCall><methodName>$method</methodName><params><param><value>$value</value></param></params></methodCall>));
    my $got = $h->http(POST => $h->url(0, '/call'), { 'Content-Type' => 'text/xml',
        'Mnet-Peer' => $moodle->wwwroot, %{ $o{headers} || {} } }, $o{body} // $xml);
    $got->{code} = $1 if $got->{content} =~ m{<fault>.*faultCode</name><value><int>(-?\d+)<}s;
    return $got;
}

$got = xml_call('<string>é &amp; 漢</string>');
is($got->{status}, 200, 'XML-RPC in');
is($got->{headers}{'content-type'}, 'text/xml; charset=utf-8', '  XML-RPC out');
like(decode_utf8($got->{content}), qr{<methodResponse>.*<string>é &amp; 漢</string>}s, '  the same value');
is(xml_call('<int>1</int>', headers => { 'Content-Type' => 'application/xml; charset=UTF-8' })->{status}, 200, 'application/xml as well');
my @faults = (
    ["a peer's fault" => sub { xml_call('<int>99</int>', call => 'test/echo/lib.php/fail') }, 200, 99, 'fault'],
    ['an unknown peer' => sub { xml_call('<int>1</int>', headers => { 'Mnet-Peer' => 'https://unknown.example' }) }, 200, 7111, 'policy'],
    ['no subscription' => sub { xml_call('<int>1</int>', call => 'local/other/lib.php/x') }, 200, 7111, 'policy'],
    ['an answer that is none' => sub { $moodle->lie_once('garbage'); xml_call('<int>1</int>') }, 200, 7112, 'trust'],
    ['no answer in time' => sub { $moodle->lie_once('hang:4'); xml_call('<int>1</int>') }, 200, 7114, 'transport'],
    ['no header Mnet-Peer' => sub { xml_call('<int>1</int>', headers => { 'Mnet-Peer' => '' }) }, 400, 7110, 'request'],
    ['no XML' => sub { xml_call('', body => 'x') }, 400, 7110, 'request'],
    ['a response' => sub { xml_call('', body => Mnet::Backend::response('x')) }, 400, 7110, 'request'],
    ['a DOCTYPE' => sub { xml_call('', body => '<!DOCTYPE a><methodCall><methodName>a/bb</methodName></methodCall>') }, 400, 7110, 'request'],
    ['over MnetMaxBody' => sub { xml_call('x' x 5_000_000) }, 413, 7110, 'request'],
);
for my $case (@faults) {
    my ($what, $do, $status, $code, $kind) = @$case;
    my $got = $do->();
    is_deeply([@$got{qw(status code)}, $got->{headers}{'mnet-error'}], [$status, $code, $kind], "$what: $status, fault $code, $kind")
        or diag explain $got;
}
SKIP: {
    skip 'no python', 1 if Mnet::PhpPeer->python_missing;
    my $said = qx(@{[Mnet::PhpPeer::python()]} -c "
import xmlrpc.client
class T(xmlrpc.client.Transport):
    def send_headers(self, connection, headers):
        super().send_headers(connection, headers + [('Mnet-Peer', '@{[$moodle->wwwroot]}')])
    def single_request(self, *words):
        self.accept_gzip_encoding = False
        return super().single_request(*words)
p = xmlrpc.client.ServerProxy('@{[$h->url(0, '/call')]}', transport=T())
print(getattr(p, 'test/echo/lib.php/first')({'a': [1, 'x']}))
try:
    getattr(p, 'local/other/lib.php/x')(1)
except xmlrpc.client.Fault as fault:
    print(fault.faultCode)
");
    is($said, "{'a': [1, 'x']}\n7111\n", "Python's client reads both");
}

# --- methods of ours -----------------------------------------------------------------------------

is(ref call($moodle->wwwroot, 'mod_mnet/methods')->{json}{result}, 'ARRAY', 'a method that is answered here');
error_is(call('https://unknown.example', 'mod_mnet/methods'), 403, 'policy', '  of an unknown peer');
is(scalar(grep { ($_->{method} // '') =~ /^mod_mnet/ } $moodle->requests), 0, '  and no peer heard of it');
ok($moodle->call($t->site, 'mod_mnet/methods', [])->{fault}, '  nor can one call it');

ok(!(grep { /\[mnet:error\]/ } split /\n/, $t->log_text), 'no error in the log');
undef $t;

# --- too many at once ----------------------------------------------------------------------------

$t = Mnet::Joined->start(peers => { moodle => { style => 'moodle' } }, config => <<'CONF');
MnetTimeout 2s
MnetOutgoingLimit 1
<Location "/call">
    SetHandler mnet-call
    Require all granted
</Location>
CONF
($h, $moodle) = ($t->harness, $t->peer('moodle'));
like($t->log_text . $h->error_log, qr/MNET1108.*mnet-call/, 'a location that is open to everybody: a warning at the start');
$moodle->set(lie => 'hang:4');
my @pipes = map {
    pipe my $read, my $write;
    my $pid = fork // die;
    if (!$pid) {
        print {$write} call($moodle->wwwroot, 'test/echo/lib.php/first', 1)->{content};
        close $write;
        POSIX::_exit(0);
    }
    close $write;
    [$pid, $read];
} 1 .. 3;
my @said = map { my $text = readline $_->[1]; waitpid $_->[0], 0; $JSON->decode($text)->{error} } @pipes;
is_deeply([sort map { $_->{kind} } @said], [qw(policy policy transport)], 'more than MnetOutgoingLimit at once are refused')
    or diag explain \@said;
is(scalar(grep { $_->{message} =~ /MnetOutgoingLimit/ } @said), 2, '  which says why');
undef $t;

# --- between two sites ---------------------------------------------------------------------------

SKIP: {
    skip Mnet::Backend->missing('node'), 1 if Mnet::Backend->missing('node');
    my $app = Mnet::Backend->start('node');
    my $n = Mnet::Network->start(services => 'app', config => "MnetBackend local/node/api.js/* @{[$app->url]} format=json service=app\n"
        . "<Location /call>\nSetHandler mnet-call\nRequire ip 127.0.0.1\n</Location>\n");
    $h = $n->harness;
    for my $value ('é 漢', { a => [1, 2.5, $yes, undef] }, [], {}, 5, { '$base64' => 'AP+A' }, { '$dateTime' => '20260102T03:04:05' },
        { '$struct' => { '$x' => 1 } }, '9007199254740993') {
        my $got = call($n->wwwroot(1), 'local/node/api.js/first', $value);
        my $want = ref $value eq 'HASH' && $value->{'$base64'} ? 'AP+A' : ref $value eq 'HASH' && $value->{'$dateTime'}
            ? '20260102T03:04:05' : ref $value eq 'HASH' && $value->{a} ? { a => [1, 2.5, $yes, ''] }
            : ref $value eq 'HASH' && $value->{'$struct'} ? { '$struct' => { '$x' => 1 } } : $value;
        is_deeply($got->{json}{result}, $want, 'from application to application: ' . JSON::PP->new->allow_nonref->canonical->encode($value))
            or diag explain $got;
    }
    is(call($n->wwwroot(1), 'local/node/api.js/who')->{json}{result}{'x-mnet-peer'}, $n->wwwroot(0), '  who is told which site it was');
    is(call($n->wwwroot(1), 'local/node/api.js/fail', 5, 'x')->{json}{error}{code}, 5, '  a fault');
}

done_testing;
