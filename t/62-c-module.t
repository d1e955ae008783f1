#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# A module of somebody else's: t/modules/mod_mnet_example.c is built by apxs against the installed
# header alone, loaded beside ours, and called by a peer.

use strict;
use warnings;
use utf8;
use FindBin qw($Bin);
use lib "$Bin/lib";
use File::Copy qw(copy);
use File::Temp qw(tempdir);
use JSON::PP;
use Test::More;
use Mnet::Harness;
use Mnet::PhpPeer;

binmode $_, ':utf8' for Test::More->builder->output, Test::More->builder->failure_output, Test::More->builder->todo_output;
my $missing = Mnet::PhpPeer->missing;
plan skip_all => $missing if $missing;
plan skip_all => 'there is no apxs' if !Mnet::Harness::apxs('INCLUDEDIR');

# --- built as anybody would ----------------------------------------------------------------------

my $dir = tempdir('mnet-example-XXXXXX', TMPDIR => 1, CLEANUP => 1);
chmod 0755, $dir;
mkdir "$dir/include";
copy("$Bin/../src/httpd/mod_mnet.h", "$dir/include/mod_mnet.h") or die $!;
copy("$Bin/modules/mod_mnet_example.c", "$dir/mod_mnet_example.c") or die $!;
my $apxs = $ENV{APXS} || 'apxs';
my $said = qx(cd $dir && $apxs -I$dir/include -Wc,-Wall -Wc,-Werror -c mod_mnet_example.c 2>&1);
is($?, 0, 'apxs builds it with one header of ours') or diag $said;
my ($so) = glob "$dir/.libs/mod_mnet_example.so";
ok($so, 'a module') or BAIL_OUT($said);
unlike(qx(nm -D --undefined-only $so), qr/\bU mnet_/, 'that needs no symbol of ours');
{
    my $c = "$dir/plus.cc";
    Mnet::Harness::write_file($c, "#include <mod_mnet.h>\nint main() { return MNET_API_VERSION - 1; }\n");
    SKIP: {
        skip 'there is no C++ compiler', 1 if system('command -v c++ >/dev/null 2>&1') != 0;
        my $include = Mnet::Harness::apxs('INCLUDEDIR');
        chomp(my $flags = qx(pkg-config --cflags apr-1 apr-util-1));
        is(system("c++ -fsyntax-only -I$dir/include -I$include $flags $c"), 0, 'the header is C++ as well');
    }
}

# --- loaded and called ---------------------------------------------------------------------------

my @peers = map { Mnet::PhpPeer->start(style => 'moodle') } 0, 1;
my $h = Mnet::Harness->new(sites => 2, config => "LoadModule mnet_example_module $so\n",
    site_config => sub {
        my ($here, $i) = @_;
        return "MnetExampleBooks @{[3 + $i]}\n"
            . join '', map { $_->section(MnetPublish => $_ == $peers[0] ? 'example_library' : 'sso_idp') } @peers;
    });
$h->start;
for my $i (0, 1) {
    $_->learn($h->wwwroot($i), 'moodle') for @peers;
}
my ($peer, $other) = @peers;
my $path = 'local/example/rpclib.php';

sub call {
    my ($method, @params) = @_;
    return $peer->call($h->wwwroot(0), "$path/$method", \@params);
}

is_deeply(call('lend', 'alice', 'Ōkami')->{result}, { borrower => 'alice of ' . $peer->wwwroot, book => 'Ōkami', days => 14, of => 3 },
    'a method of the module');
is($peer->call($h->wwwroot(1), "$path/lend", ['alice', 'x', '7'])->{result}{of}, 4, 'each site has its own configuration');
is_deeply(call('whoami')->{result}, { caller => $peer->wwwroot, application => 'moodle', site => $h->wwwroot(0),
    method => "$path/whoami", address => '127.0.0.1' }, 'who calls');
is_deeply([map { call(@$_)->{fault}{code} } ['lend', '', 'x'], ['lend', 'a', []], ['lend', 'a', 'b', 'many'], ['lend', 'a', 'b', 91]],
    [5014, 5012, 5013, 5013], 'faults of its own');
is(call('lend', 'alice')->{fault}{code}, 7000, 'a parameter too few never gets there');
is($other->call($h->wwwroot(0), "$path/lend", ['alice', 'x'])->{fault}{code}, 7012, 'nor a peer that it is not published to');
is(call('key_changed')->{fault}{code}, 7000, 'a fault 7025 is not let out');
$h->expect_log(qr/MNET0429/);
is(call('broken')->{fault}{code}, 7000, 'a handler that fails');

my ($yes, $no) = (JSON::PP::true, JSON::PP::false);
for my $value ('é 漢 😀', '', -7, 1.5, $yes, $no, [], [1, [2, []]], { 'é' => ['x'], n => 1 }) {
    is_deeply(call('any/thing', $value)->{result}, $value, 'value ' . JSON::PP->new->allow_nonref->encode($value));
}
is_deeply(call('any/thing', 'x' x 100_000)->{result}, { length => 100_000, sum => 12_000_000 }, 'a long text is poured');
SKIP: {
    skip 'no python', 3 if Mnet::PhpPeer->python_missing;
    my $typed = sub { return $peer->call_python($h->wwwroot(0), "$path/any/thing", [$_[0]])->{result} };
    is($typed->({ 'bytes!' => 'YWJj' }), 'abc', 'base64');
    is($typed->({ 'datetime!' => '20260102T03:04:05' }), '20260102T03:04:05', 'a date');
    is($typed->({ 'nil!' => $yes }), '', 'nil');
}

# --- known like our own --------------------------------------------------------------------------

my $listed = $peer->call($h->wwwroot(0), 'system/listMethods', ['example_library'])->{result};
is_deeply($listed, [map { "$path/$_" } qw(broken key_changed lend whoami)], 'listMethods');
my $signature = $peer->call($h->wwwroot(0), 'system/methodSignature', ["$path/lend"])->{result};
is_deeply([map { $_->{name} } @{ $signature->{parameters} }], [qw(username book days)], 'methodSignature');
is($peer->call($h->wwwroot(0), 'system/methodHelp', ["$path/lend"])->{result}, 'Lends a book to a pupil.', 'methodHelp');
my $saved = $peer->dir . '/saved';
is(ref $peer->call($h->wwwroot(0), "$path/lend", ['bob', 'x'], save => $saved)->{result}, 'HASH', 'once');
is($peer->call($h->wwwroot(0), "$path/lend", ['bob', 'x'], raw => $saved)->{fault}{code}, 7102, '  and not again');
$h->graceful;
is(call('whoami')->{result}{site}, $h->wwwroot(0), 'after a graceful restart');

# --- a careless one ------------------------------------------------------------------------------

copy("$Bin/modules/mod_mnet_careless.c", "$dir/mod_mnet_careless.c") or die $!;
$said = qx(cd $dir && $apxs -I$dir/include -c mod_mnet_careless.c 2>&1);
is($?, 0, 'a careless module') or diag $said;
undef $h;
$h = Mnet::Harness->new(config => "LoadModule mnet_careless_module $dir/.libs/mod_mnet_careless.so\n"
        . $peer->section(MnetPublish => 'careless'));
$h->expect_log(qr/MNET(?:0660|0661|1113)/, qr/MNET0681/);
$h->start;
$peer->learn($h->wwwroot(0), 'moodle');
sub careless { return $peer->call($h->wwwroot(0), "careless/lib/$_[0]", []) }
is_deeply(careless('nothing')->{result}, ['', '', '', '', { x => '' }], 'NULL for everything is nothing');
is(careless('neither')->{result}, '', 'neither a result nor a fault');
is_deeply([@{ careless('no_text')->{fault} }{qw(code text)}], [7000, 'This is no MNET message.'], 'a fault without a text');
is(careless('typeless')->{fault}{code}, 7000, 'a method without types');
ok(!careless('in_itself')->{result}, 'a value in itself is no answer');
is(careless($_)->{fault}{code}, 7012, "$_ is not there") for qw(handler no_service bad_service system);
$listed = $peer->call($h->wwwroot(0), 'system/listMethods', ['careless'])->{result};
is_deeply($listed, [map { "careless/lib/$_" } qw(in_itself neither no_text nothing typeless)], 'what is good is listed');
ok($peer->call($h->wwwroot(0), "system/$_", ['careless/lib/typeless'])->{envelope}{verified}, "$_ of a method without types")
    for qw(methodSignature methodHelp);
unlike($h->error_log, qr/AH00052/, 'no child crashed');

done_testing;
