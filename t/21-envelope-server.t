#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# Every kind of peer calls the site: envelopes, system/*, faults, publickey.php, permission.

use strict;
use warnings;
use utf8;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Test::More;
use Mnet::Joined;

my @styles = qw(moodle moodle-old mahara);
my $t = Mnet::Joined->start(styles => \@styles, echo => 1,
    config => "MnetApplication moodle mahara\nMnetFailureLimit 0\n",
    peers => { bare => { style => 'moodle', section => { MnetPublish => 'sso_idp', MnetSubscribe => 'sso_sp' } },
        test => { style => 'moodle', section => { MnetPublish => 'test sso_idp' } } });
my $site = $t->site;
$t->harness->expect_log(qr/MNET0429/); # a handler that fails, as asked

for my $style (@styles) {
    my $peer = $t->peer($style);
    my @call = ($site, 'system/listServices', []);
    my $reply = $peer->call(@call);
    is($reply->{status}, 200, "$style: status");
    is_deeply($reply->{envelope}, { encrypted => JSON::PP::true, signed => JSON::PP::true,
        verified => JSON::PP::true, key => 'current' }, '  the answer is sealed and signed')
        or diag explain $reply;
    ok(!$reply->{error}, '  and this peer takes it') or diag explain $reply->{error};
    is($reply->{headers}{'content-type'}, 'text/xml; charset=utf-8', '  content type');
    is($reply->{outer}, $site, '  outer wwwroot');
    is($reply->{inner}, $site, '  inner wwwroot');
    cmp_ok(abs($reply->{drift} // 99), '<', 5, '  time');
    is(ref $reply->{result}, 'ARRAY', '  listServices gives an array');
    for my $service (@{ $reply->{result} }) {
        is_deeply([sort keys %$service], [qw(apiversion name publish subscribe)],
            "  a service: $service->{name}");
    }
    $reply = $peer->call($site, 'system/listServices', [], application => 'mahara');
    ok(!$reply->{error} && ref $reply->{result} eq 'ARRAY', '  also at the path of a Mahara');

    is(ref $peer->call($site, 'system/listMethods')->{result}, 'ARRAY', '  listMethods');
    is(ref $peer->call($site, 'system.listMethods')->{result}, 'ARRAY', '  listMethods by its dotted name');
    for my $swap ('system/keyswap', 'system.keyswap') {
        my $bare = $peer->call($site, $swap, [$peer->wwwroot, $peer->pem], no_sign => 1, no_seal => 1);
        like($bare->{result}, qr/\A-----BEGIN CERTIFICATE-----\n.*-----END CERTIFICATE-----\n\z/s,
            "  bare $swap");
        ok(!$bare->{envelope}{encrypted}, '    in plain text');
    }
    my $swap = $peer->call($site, 'system/keyswap', [$peer->wwwroot, $peer->pem], enveloped => 1);
    like($swap->{result}, qr/BEGIN CERTIFICATE/, '  keyswap in envelopes');
    is($peer->learn($site), $peer->call($site, 'system/keyswap', [], enveloped => 1)->{result},
        '  the same certificate');

    # faults: Moodle's codes, in the envelopes of the request
    for my $case (['nosuch/path.php/fn', 7012], ['system/nosuch', 7018], ['nosuch', 713], ['a b/c', 713]) {
        my $fault = $peer->call($site, $case->[0]);
        is($fault->{fault}{code}, $case->[1], "  $case->[0]: fault $case->[1]");
        ok($fault->{envelope}{verified} && $fault->{envelope}{encrypted}, '    sealed and signed');
    }
    my $plain = $peer->call(@call, no_sign => 1, no_seal => 1);
    is($plain->{fault}{code}, 7021, '  plain text: fault 7021');
    is($plain->{moodle_reads}, 'code', '    laid out so that any Moodle reads it') if $style ne 'mahara';
    my $unsigned = $peer->call(@call, no_sign => 1);
    is($unsigned->{fault}{code}, 711, '  encrypted but not signed: fault 711');
    ok($unsigned->{envelope}{encrypted} && !$unsigned->{envelope}{signed}, '    sealed, not signed');
    is($peer->call(@call, no_seal => 1)->{fault}{code}, 7021, '  signed but not encrypted: fault 7021');
    my $stranger = $peer->call(@call, wwwroot => 'http://nobody.example.org');
    is($stranger->{fault}{code}, 7020, '  an unknown wwwroot: fault 7020');
    ok(!$stranger->{envelope}{encrypted}, '    in plain text');
    like($stranger->{fault}{text}, qr/\S/, '    with a text');
    is($peer->call(@call, tamper => 'digest')->{status}, 200, '  a wrong DigestValue');
    ok(ref $peer->call(@call, tamper => 'digest')->{result} eq 'ARRAY', '    matters to nobody');
    ok(ref $peer->call(@call, wrap_base64 => 1)->{result} eq 'ARRAY', '  base64 in lines is read');
    ok(ref $peer->call(@call, chunked => 1)->{result} eq 'ARRAY', '  a chunked body is read');
    ok(ref $peer->call(@call, header => ['Expect: 100-continue'])->{result} eq 'ARRAY',
        '  Expect: 100-continue is understood');
    ok(ref $peer->call(@call, header => ['Content-Type:'])->{result} eq 'ARRAY', '  no content type');
}

subtest 'services and permission' => sub {
    my $bare = $t->peer('bare');
    my $services = $bare->call($site, 'system/listServices')->{result};
    my %service = map { $_->{name} => $_ } @$services;
    my $test = $t->peer('test')->call($site, 'system/listServices')->{result};
    my ($seen) = grep { $_->{name} eq 'test' } @$test;
    is($seen->{publish}, '1', 'a published service is listed as published');
    is($seen->{apiversion}, '1', '  with its version');
    ok(!$service{test} || !$service{test}{publish}, 'one that is not published is not, to another peer');
    is($bare->call($site, 'test/echo/lib.php/first', ['x'])->{fault}{code}, 7012,
        'and its methods are refused: 7012');
    is($t->peer('test')->call($site, 'test/echo/lib.php/first', ['x'])->{result}, 'x', 'but answered where it is');
    my $methods = $t->peer('test')->call($site, 'system/listMethods', ['test'])->{result};
    ok((grep { $_ eq 'test/echo/lib.php/first' } @$methods), 'listMethods(service) names them');
    ok(!(grep { !m{^test/} } @$methods), '  and no others');
    ok(!(grep { m{^test/} } @{ $bare->call($site, 'system/listMethods')->{result} }),
        '  but not to whom they are not published');
    my $signature = $t->peer('test')->call($site, 'system/methodSignature', ['test/echo/lib.php/first'])->{result};
    is($signature->{parameters}[0]{name}, 'value', 'methodSignature names the parameters');
    is($signature->{return}{type}, 'string', '  and the return');
    is($t->peer('test')->call($site, 'system/methodHelp', ['test/echo/lib.php/first'])->{result},
        'Help for first.', 'methodHelp');
    ok(!$bare->call($site, 'system/methodHelp', ['test/echo/lib.php/first'])->{result},
        '  nothing of what is not published');
    is($t->peer('test')->call($site, 'test/echo/lib.php/fail', [4711, 'a <text> & more'])->{fault}{code}, 4711,
        "a handler's fault");
    is($t->peer('test')->call($site, 'test/echo/lib.php/fail', [4711, 'a <text> & more'])->{fault}{text},
        'a <text> & more', '  with its text');
    is($t->peer('test')->call($site, 'test/echo/lib.php/broken')->{fault}{code}, 7000, 'a handler that fails: 7000');
    is($t->peer('test')->call($site, 'test/echo/lib.php/first')->{fault}{code}, 7000, 'a parameter missing: 7000');
};

subtest 'the certificate' => sub {
    for my $path ('/mnet/publickey.php', '/api/xmlrpc/publickey.php') {
        my $got = $t->post('', method => 'GET', path => $path, headers => { 'Content-Length' => undef });
        is($got->{status}, 200, "GET $path");
        is($got->{headers}{'content-type'}, 'text/plain; charset=utf-8', '  as text');
        is($got->{body}, $t->peer('moodle')->learn($site), '  is what keyswap gives');
    }
    my $dir = $t->peer('moodle')->dir;
    open my $out, '>', "$dir/site.pem" or die $!;
    print $out $t->peer('moodle')->learn($site);
    close $out;
    my $text = qx(openssl x509 -in $dir/site.pem -noout -subject -serial -nameopt RFC2253,sep_comma_plus_space,dn_rev);
    like($text, qr/CN ?= ?\Q$site\E/, 'its CN is the wwwroot');
    like($text, qr/(?:subjectAltName|2\.5\.29\.17) ?= ?\S*/, 'and it has the attribute that a Moodle looks for');
};

subtest 'one connection' => sub {
    my $socket = $t->connect;
    my ($host) = $site =~ m{^http://([^/]+)};
    for my $n (1 .. 3) {
        my $body = $t->peer('moodle')->body($site, 'system/listServices');
        print {$socket} "POST /mnet/xmlrpc/server.php HTTP/1.1\r\nHost: $host\r\nContent-Length: " . length($body)
            . "\r\n\r\n$body";
        $socket->flush;
        my $got = '';
        while ($got !~ /\r\n\r\n/) {
            sysread $socket, $got, 65536, length $got or last;
        }
        my ($length) = $got =~ /^Content-Length: (\d+)/im;
        (my $answer = $got) =~ s/.*?\r\n\r\n//s;
        while (length $answer < ($length || 0)) {
            sysread $socket, $answer, 65536, length $answer or last;
        }
        like($answer, qr/<encryptedMessage>.*<\/encryptedMessage>\s*\z/s, "call $n");
    }
};

ok($t->alive($_), "$_ is still answered") for @styles;
done_testing;
