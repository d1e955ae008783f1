#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# The independent peer in PHP against the captured messages and against itself, before it is used to
# test the module.

use strict;
use warnings;
use utf8;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Test::More;
use Mnet::PhpPeer;

my $missing = Mnet::PhpPeer->missing;
plan skip_all => $missing if $missing;
binmode Test::More->builder->$_, ':utf8' for qw(output failure_output todo_output);

subtest 'captured messages' => sub {
    local $ENV{OPENSSL_CONF} = "$Bin/peer/openssl-legacy.cnf";
    my @lines = map { chomp; $_ } qx(@{[Mnet::PhpPeer::php()]} $Bin/peer/selftest.php $Bin/vectors 2>&1);
    is($? >> 8, 0, 'the self-test ends well');
    for my $line (@lines) {
        pass($1) if $line =~ /^ok \d+ - (.*)/;
        fail($1) if $line =~ /^not ok \d+ - (.*)/;
        diag($line) if $line !~ /^(ok|not ok|1\.\.)/;
    }
};

my %peer = map { $_ => Mnet::PhpPeer->start(style => $_) } qw(moodle moodle-old mahara);
for my $one (values %peer) {
    $one->trust($_->wwwroot, $_->pem, $_->application) for values %peer;
}

my %broken = map { $_ => 1 } ( # as between the real products (protocol 2.2.3)
    'moodle moodle-old', 'moodle mahara', 'mahara moodle-old', 'mahara mahara', 'moodle-old moodle');
for my $from (sort keys %peer) {
    for my $to (sort keys %peer) {
        my $reply = $peer{$from}->call($peer{$to}->wwwroot, 'test/echo/lib.php/first', ['é 漢 😀']);
        ok($reply->{envelope}{verified}, "$from calls $to: signed, sealed, answered")
            or diag explain $reply;
        my $same = ($reply->{result} // '') eq 'é 漢 😀';
        $broken{"$from $to"} ? ok(!$same, '  and text suffers as in the field')
            : ok($same, '  and text survives');
    }
}

my ($moodle, $mahara) = @peer{qw(moodle mahara)};
my @echo = ($moodle->wwwroot, 'test/echo/lib.php/first', ['x']);

my $reply = $mahara->call($mahara->wwwroot, 'nosuch/path.php/fn');
is($reply->{fault}{code}, 0, 'Mahara: an unknown method is fault 0');
ok(!$reply->{envelope}{encrypted}, '  in plain text');
$reply = $mahara->call($moodle->wwwroot, 'nosuch/path.php/fn');
is($reply->{fault}{code}, 7012, 'Moodle: an unknown method is fault 7012');
ok($reply->{envelope}{verified}, '  signed and sealed');
is($mahara->call(@echo, no_sign => 1)->{fault}{code}, 711, 'encrypted, unsigned: 711');
is($mahara->call(@echo, no_seal => 1)->{fault}{code}, 7021, 'signed, not encrypted: 7021');
is($mahara->call(@echo, tamper => 'signature')->{fault}{code}, 710, 'a bad signature: 710');
is($mahara->call(@echo, wwwroot => 'http://a.example.org')->{fault}{code}, 7020, 'a stranger: 7020');
is($mahara->call(@echo, padding => 'type-1')->{fault}{code}, 7023, 'bad padding: 7023');
is($mahara->call($moodle->wwwroot, 'system.listMethods')->{fault}{code}, 713, 'a dotted name: 713');

for my $rotating ($moodle, $mahara) {
    my $style = $rotating->style;
    my $old = $rotating->pem;
    $rotating->rotate;
    $reply = $peer{'moodle-old'}->call($rotating->wwwroot, 'system/listServices', [], no_follow => 1);
    is($reply->{fault}{code}, 7025, "$style rotates: 7025");
    is($reply->{fault}{text}, $rotating->pem, '  with the new certificate');
    is(!!$reply->{envelope}{verified}, $style eq 'moodle', '  signed by the '
        . ($style eq 'moodle' ? 'old key' : 'new key'));
    $reply = $peer{'moodle-old'}->call($rotating->wwwroot, 'system/listServices');
    ok($reply->{rekeyed} && ref $reply->{result} eq 'ARRAY', '  followed, and sent again');
}
$mahara->learn($moodle->wwwroot, 'moodle');
is($mahara->call(@echo)->{result}, 'x', 'a keyswap gives the new certificate');
$mahara->rotate;
is($mahara->call(@echo)->{result}, 'x', 'a caller that rotated is recognised within the call');

SKIP: {
    my $why = Mnet::PhpPeer->python_missing;
    skip $why, 3 if $why;
    $reply = $moodle->call_python(@echo[0, 1], [['é 漢 😀', 1, 1.5, JSON::PP::true, { a => [] }]]);
    is_deeply($reply->{result}, ['é 漢 😀', 1, 1.5, JSON::PP::true, { a => [] }],
        "Python's document arrives");
    is($reply->{python}{result}[0], 'é 漢 😀', '  and Python reads the answer');
    $reply = $moodle->call_python(@echo[0, 1], ['Ångström'], encoding => 'iso-8859-1');
    is($reply->{python}{result}, 'Ångström', '  in ISO-8859-1 as well');
}

my $tls = Mnet::PhpPeer->start(style => 'moodle', tls => 1);
$tls->trust($moodle->wwwroot, $moodle->pem, 'moodle');
$moodle->trust($tls->wwwroot, $tls->pem, 'moodle');
is($moodle->call($tls->wwwroot, 'test/echo/lib.php/who', [])->{result}, $moodle->wwwroot, 'a peer over TLS');

for my $lie (qw(garbage html 500 empty close plain-answer bad-signature wrong-inner future-time unsigned
    unencrypted no-rc4)) {
    $moodle->lie_once($lie);
    my $got = $mahara->call(@echo);
    my $noticed = $got->{error} || ($got->{inner} // '') ne $moodle->wwwroot;
    ok($noticed, "the lie $lie is told") or diag explain $got;
    is($mahara->call(@echo)->{result}, 'x', '  once');
}
cmp_ok($moodle->heard, '>', 20, 'requests are recorded');

done_testing;
