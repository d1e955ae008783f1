#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# mnetctl beside a running server: two sites of one httpd, joined to each other by it.
use strict;
use warnings;
use JSON::PP;
use Test::More;

use Mnet::Harness;
use Mnet::PhpPeer;

my $h = Mnet::Harness->new(sites => 2, config => "MnetKeyBits 2048\n");
my ($a, $b) = ($h->wwwroot(0), $h->wwwroot(1));
my $pem = $h->root . '/b.pem';

# mnetctl: its exit status, output and errors; as one of the sites.
sub ctl { my (@args) = @_; return @{ $h->mnetctl(@args) }{qw(exit out err)} }
sub as { my ($site, @args) = @_; return ctl('-w', $site, @args) }

sub json
{
    my (@args) = @_;
    my ($exit, $out, $err) = ctl('--json', @args);
    my $value = eval { JSON::PP->new->utf8->allow_nonref->decode($out) };
    diag("no JSON of @args: $out$err") if !defined $value;
    return ($exit, $value);
}

sub write_file
{
    my ($name, $text) = @_;
    open my $file, '>', $name or die "$name: $!";
    print {$file} $text;
    close $file or die "$name: $!";
    return $name;
}

# --- usage ---
for my $case ([[], qr/no command/], [['foo'], qr/unknown command "foo"; there are: keys, peers/],
    [['peers', 'foo'], qr/there are: list, show/], [['peers', 'show'], qr/too few/],
    [['ping', 'x', 'y'], qr/too many/], [['call', '--nope', 'x', 'y'], qr/unknown option --nope/],
    [['peers', 'add', 'http://x', '--tls'], qr/--tls needs a value/],
    [['queues'], qr/unknown command "queues"/]) {
    my ($exit, $out, $err) = ctl(@{ $case->[0] });
    is_deeply([$exit, $out], [2, ''], "@{ $case->[0] }: exit 2, nothing on standard output");
    like($err, $case->[1], '... and what to write instead');
}
{
    my ($exit, $out) = ctl('help');
    is($exit, 0, 'help: exit 0');
    like($out, qr/^  \Q$_\E\b/m, "help lists $_")
        for 'keys show', 'keys rotate', 'keys export', 'peers list', 'peers show', 'peers add', 'peers verify',
        'peers confirm', 'peers publish', 'peers subscribe', 'peers remove', 'call', 'ping', 'doctor', 'export',
        'import', 'sessions list', 'sessions kill';
    ($exit, $out) = ctl('help', 'peers', 'add');
    like($out, qr/--fingerprint FP/, 'help of one command explains its options');
    my ($again, $same) = ctl('peers', 'add', '--help');
    is($same, $out, '... as --help does');
}

# --- before the server was ever started ---
{
    my ($exit, $out, $err) = ctl('peers');
    is($exit, 1, 'no state directory: exit 1');
    like($err, qr/no state directory .* `MnetEngine On`/, '... and how it is made');
    ($exit, my $answer) = json('peers');
    is_deeply([$exit, $answer->{error}{kind}], [1, 'state'], '... and so as JSON');
    mkdir my $empty = $h->root . '/empty' or die $!;
    ($exit, undef, my $why) = ctl('-d', $empty, 'keys');
    is($exit, 1, 'a directory without a store: exit 1');
    like($why, qr/holds no state of mod_mnet/, '... and it says so');
    is_deeply([glob "$empty/*"], [], '... and makes none');
}

$h->start;

# --- which site ---
{
    my ($exit, $out, $err) = ctl('keys', 'rotate');
    is($exit, 2, 'several sites and no -w: exit 2');
    like($err, qr/\Q$a\E, \Q$b\E|\Q$b\E, \Q$a\E/, '... with the list of them');
    ($exit, $out, $err) = as('http://127.0.0.1:1', 'keys');
    is($exit, 2, '-w names no site of ours: exit 2');
    ($exit, my $keys) = json('keys');
    is_deeply([sort map { $_->{wwwroot} } @{ $keys->{sites} }], [sort $a, $b], 'keys show: all of them');
}

# --- keys ---
{
    my ($exit, $out) = as($b, 'keys', 'export');
    is($exit, 0, 'keys export');
    like($out, qr/\A-----BEGIN CERTIFICATE-----\n.*\n-----END CERTIFICATE-----\n\z/s, '... is a certificate');
    is($h->http(GET => $h->url(1, '/mnet/publickey.php'))->{content}, $out, '... the one the server gives');
    my (undef, $before) = json('-w', $a, 'keys');
    ($exit, $out) = as($a, 'keys', 'rotate');
    is($exit, 0, 'keys rotate');
    my (undef, $after) = json('keys', 'show', '-w', $a);
    my @keys = @{ $after->{sites}[0]{keys} };
    is(scalar @keys, 2, '... there are two keys now');
    is($keys[1]{sha256}, $before->{sites}[0]{keys}[0]{sha256}, '... the one before is the old one');
    is($h->http(GET => $h->url(0, '/mnet/publickey.php'))->{content}, $keys[0]{pem},
        '... and the server gives the new certificate at its next request');
}

# --- first contact ---
my (undef, $b_keys) = json('-w', $b, 'keys');
my $b_key = $b_keys->{sites}[0]{keys}[0];
{
    my ($exit, $out, $err) = as($a, 'ping', $b);
    is($exit, 1, 'ping of nobody: exit 1');
    like($err, qr/there is no peer \Q$b\E.*peers add/, '... and what to do');
    ($exit, $out, $err) = as($a, 'peers', 'add', "$b/");
    is($exit, 1, 'a wwwroot with a slash at the end is refused');
    ($exit, $out, $err) = as($a, 'peers', 'add', $a);
    is($exit, 1, 'so is our own');
    ($exit, $out, $err) = as($a, 'peers', 'add', $b, '--fingerprint', '00:11');
    is($exit, 1, 'another fingerprint than the one given: exit 1');
    like($err, qr/not the one given/, '... and why');
    (undef, my $list) = json('-w', $a, 'peers');
    is_deeply($list->{sites}[0]{peers}, [], '... and nothing was made');

    ($exit, $out, $err) = as($a, 'peers', 'add', $b, '--tls', $0);
    is($exit, 2, '--tls FILE that holds no certificate: refused');
    like($err, qr/no certificate in .*15-mnetctl/, '... and says so');
    ($exit, $out, $err) = as($a, 'peers', 'add', $b);
    is($exit, 0, 'peers add');
    like($out, qr/\Q$b_key->{sha256}\E.*\Q$b_key->{sha1}\E/s, '... shows both fingerprints');
    like($out, qr/waits/, '... and without a terminal the certificate waits');
    ($exit, $out, $err) = as($a, 'ping', $b);
    is($exit, 1, 'until then it cannot be called');
    like($err, qr/peers confirm/, '... and what to do');
    ($exit, $out) = ctl('-w', $a, 'doctor');
    like($out, qr/WARN +peer \Q$b\E.*waits to be confirmed/, 'doctor says that it waits');
    ($exit, $out, $err) = as($a, 'peers', 'confirm', $b);
    is($exit, 1, 'confirm without a word of anybody is refused');
    ($exit, $out, $err) = as($a, 'peers', 'confirm', $b, '--fingerprint', $b_keys->{sites}[0]{keys}[0]{sha1} =~ s/^../00/r);
    is($exit, 1, '... and with a wrong fingerprint');
    (my $plain = lc $b_key->{sha256}) =~ tr/://d;
    ($exit, $out) = as($a, 'peers', 'confirm', $b, '--fingerprint', $plain);
    is($exit, 0, 'peers confirm --fingerprint, whatever its spelling');
    ($exit, my $shown) = json('-w', $a, 'peers', 'show', $b);
    is_deeply([@$shown{qw(wwwroot application trust pending)}, $shown->{certificate}{sha256}],
        [$b, 'moodle', 'confirmed', undef, $b_key->{sha256}], 'peers show');
}

# --- b does not know a yet ---
{
    my ($exit, $out, $err) = as($a, 'ping', $b);
    is($exit, 1, 'ping of a site that does not know us');
    like($err, qr/fault 7020.*\Q$a\E must be added there/s, '... says the fault and the mend');
    ($exit, my $answer) = json('-w', $a, 'call', $b, 'system/listServices');
    is_deeply([$exit, @{ $answer->{error} }{qw(kind code)}], [1, 'fault', 7020], '... as JSON');
}

# --- the other way, pinned ---
{
    my (undef, $cert) = as($a, 'keys', 'export');
    write_file($pem, $cert);
    my ($exit, $out, $err) = as($b, 'peers', 'add', 'http://127.0.0.1:2', '--certificate', $pem);
    is($exit, 1, 'a certificate of another site is refused');
    like($err, qr/another site's/, '... and why');
    ($exit, $out) = as($b, 'peers', 'add', $a, '--certificate', $pem, '--publish', 'sso_idp,pf');
    is($exit, 0, 'peers add --certificate');
    unlike($out, qr/waits/, '... is trusted at once');
}

# --- calling ---
{
    my ($exit, $out) = as($a, 'ping', $b);
    is($exit, 0, 'ping');
    like($out, qr/\Q$b\E answered in [\d.]+ ms/, '... says how long it took');
    like($out, qr/we let them call: +-$/m, '... and what either side lets the other do');
    ($exit, my $answer) = json('-w', $a, 'ping', $b);
    is(ref $answer->{services}, 'ARRAY', '... as JSON');
    ($exit, $answer) = json('call', '-w', $a, $b, 'system/methodHelp', 'system/listServices');
    is($exit, 0, 'call with an argument');
    like($answer->{result}, qr/\w/, '... answers {"result": ...}');
    ($exit, $out) = as($a, 'call', $b, 'system/methodSignature', 'system/keyswap');
    like($out, qr/^parameters:\n  - name: wwwroot\n    type: string\n/, 'call, for people: names and lists, indented');
    ($exit, $answer) = json('-w', $a, 'call', $b, 'system/listMethods', '--', '-5');
    is($exit, 0, 'an argument behind --');
    ($exit, $answer) = json('-w', $a, 'call', $b, 'mod/x/rpclib.php/y');
    is_deeply([$exit, $answer->{error}{kind}, $answer->{error}{code}], [1, 'policy', 0],
        'a method of no subscribed service: policy');
    ($exit, $answer) = json('-w', $a, 'call', $b, 'system/nothing');
    is_deeply([$exit, $answer->{error}{kind}, $answer->{error}{code}], [1, 'fault', 7018],
        'a method that is not there: the fault');
}

# --- services ---
{
    my ($exit, $shown) = json('-w', $a, 'peers', 'publish', $b, 'sso_sp', 'pf');
    is_deeply([$exit, $shown->{publish}], [0, ['sso_sp', 'pf']], 'peers publish: the list');
    ($exit, $shown) = json('-w', $a, 'peers', 'publish', $b, '+sso_idp', '-pf');
    is_deeply([$exit, $shown->{publish}], [0, ['sso_sp', 'sso_idp']], 'peers publish: +name -name');
    ($exit) = json('-w', $a, 'peers', 'publish', $b, 'x', '+y');
    is($exit, 2, 'names and changes at once: usage');
    ($exit) = json('-w', $a, 'peers', 'publish', $b, 'a/b');
    is($exit, 2, 'no name of a service: usage');
    ($exit, $shown) = json('-w', $a, 'peers', 'subscribe', $b, 'x=mod/x/*,mod/y/*');
    is_deeply([$exit, $shown->{subscribe}], [0, ['x=mod/x/*,mod/y/*']], 'peers subscribe with patterns');
    ($exit, my $answer) = json('-w', $a, 'call', $b, 'mod/x/rpclib.php/y');
    is($answer->{error}{kind}, 'fault', '... lets the call out; the peer knows no such method');
    like($answer->{error}{message}, qr/does not publish the service of it to \Q$a\E/, '... and what may be missing there');
    my (undef, $out) = as($a, 'ping', $b);
    like($out, qr/we subscribe to x, but they do not publish it/, 'ping tells of the gap');
    (undef, $out) = as($b, 'ping', $a);
    like($out, qr/they subscribe to x, which we do not publish.*peers publish \Q$a\E \+x/s, '... from both sides');
    ($exit, $shown) = json('-w', $a, 'peers', 'subscribe', $b, 'none');
    is_deeply([$exit, $shown->{subscribe}], [0, []], 'none is the empty list');
}

# --- verify, and following a rotation ---
{
    my ($exit, $answer) = json('-w', $a, 'peers', 'verify', $b);
    is_deeply([$exit, $answer->{certificate}], [0, 'same'], 'peers verify');
    as($b, 'keys', 'rotate');
    ($exit, my $out) = as($a, 'ping', $b);
    is($exit, 0, 'a ping after the peer rotated is answered');
    (undef, my $shown) = json('-w', $a, 'peers', 'show', $b);
    my (undef, $keys) = json('-w', $b, 'keys');
    is_deeply([$shown->{trust}, $shown->{certificate}{sha256}], ['rotated', $keys->{sites}[0]{keys}[0]{sha256}],
        '... and its new certificate was followed');
}

# --- doctor ---
{
    my ($exit, $answer) = json('doctor');
    is_deeply([$exit, $answer->{failures}], [0, 0], 'doctor finds nothing broken')
        or diag(explain([grep { $_->{level} eq 'fail' } @{ $answer->{checks} }]));
    chmod 0755, $h->state_dir;
    ($exit, my $out) = ctl('doctor');
    chmod 0700, $h->state_dir;
    is($exit, 1, 'a state directory that others may look into: exit 1');
    like($out, qr/FAIL +state directory.*\n +chmod 0700/, '... and the mend');
}

# --- export and import ---
{
    my ($exit, $out, $err) = as($a, 'export');
    is($exit, 0, 'export');
    unlike($out, qr/PRIVATE/, '... holds no private key');
    my $file = write_file($h->root . '/a.json', $out);
    my ($removed) = as($a, 'peers', 'remove', $b);
    is($removed, 0, 'peers remove');
    ($exit) = as($a, 'ping', $b);
    is($exit, 1, '... it is no peer any more');
    ($removed) = as($a, 'peers', 'remove', $b);
    is($removed, 1, '... and cannot be removed again');
    ($exit, my $answer) = json('-w', $a, 'import', $file);
    is_deeply([$exit, @$answer{qw(imported skipped keys)}], [0, 1, 0, 0], 'import');
    ($exit) = as($a, 'ping', $b);
    is($exit, 0, '... and it can be called again');
    ($exit, $answer) = json('-w', $a, 'import', $file);
    is_deeply([@$answer{qw(imported skipped)}], [0, 1], 'what is known stays as it is');
    ($exit, $answer) = json('-w', $a, 'import', $file, '--replace');
    is_deeply([@$answer{qw(imported skipped)}], [1, 0], '... without --replace');

    my $document = JSON::PP->new->decode($out);
    push @{ $document->{sites}[0]{peers} }, { %{ $document->{sites}[0]{peers}[0] }, wwwroot => 'http://127.0.0.1:9' };
    as($a, 'peers', 'remove', $b);
    ($exit, undef, $err) = as($a, 'import', write_file($h->root . '/bad.json', JSON::PP->new->encode($document)));
    is($exit, 1, 'a file with a mistake in it: exit 1');
    like($err, qr/127\.0\.0\.1:9: .*nothing was imported/, '... says where');
    ($exit) = as($a, 'peers', 'show', $b);
    is($exit, 1, '... and nothing was');
    for my $text ('', '{}', '[1', '{"format": "mnetctl export", "version": 99, "sites": []}') {
        ($exit) = as($a, 'import', write_file($h->root . '/bad.json', $text));
        is($exit, 1, "not from export: $text");
    }

    ($exit, $out) = as($a, 'export', '--with-keys');
    my @keys = @{ JSON::PP->new->decode($out)->{sites}[0]{keys} };
    $file = write_file($h->root . '/keys.json', $out);
    as($a, 'keys', 'rotate');
    ($exit, $answer) = json('-w', $a, 'import', '--with-keys', $file);
    is_deeply([$exit, $answer->{keys}], [0, 1], 'import --with-keys');
    is($h->http(GET => $h->url(0, '/mnet/publickey.php'))->{content}, $keys[0]{certificate},
        '... puts the current key of the file in force');
}

# --- what the configuration says ---
$h->configure(site_config => sub {
    my ($harness, $i) = @_;
    return "<MnetPeer \"$a\">\n</MnetPeer>\n" if $i;
    return "<MnetPeer \"$b\">\nMnetPublish sso_sp\n</MnetPeer>\n";
});
$h->graceful;
{
    my ($exit, $out, $err) = as($b, 'peers', 'remove', $a);
    (undef, my $keys) = json('-w', $a, 'keys');
    ($exit, my $answer) = json('-w', $b, 'peers', 'confirm', $a, '--fingerprint', $keys->{sites}[0]{keys}[0]{sha256});
    is_deeply([$exit, $answer->{peer}{trust}, $answer->{peer}{configured}], [0, 'confirmed', JSON::PP::true],
        'a configured peer without a certificate: confirm fetches and trusts it');
    as($a, 'peers', 'add', $b, '--yes');
    ($exit, $out, $err) = as($a, 'peers', 'publish', $b, 'pf');
    is($exit, 1, 'what <MnetPeer> says is not changed by mnetctl');
    like($err, qr/MnetPublish in httpd's <MnetPeer>/, '... and where to change it');
    my ($subscribed) = as($a, 'peers', 'subscribe', $b, 'x=mod/x/*');
    is($subscribed, 0, 'what it does not say is');
    ($exit, $out, $err) = as($a, 'peers', 'remove', $b);
    is($exit, 0, 'a configured peer is removed from the state directory');
    like($err, qr/configuration still names/, '... with the word that it stays a peer');
    ($exit, $out, $err) = as($a, 'peers', 'remove', $b);
    is($exit, 1, 'one that is only configured cannot be');
}

# --- who owns what ---
SKIP: {
    skip('needs root', 1) if $> != 0;
    my $owner = (stat $h->state_dir)[4];
    my @others = grep { (stat)[4] != $owner } glob($h->state_dir . '/*');
    is_deeply(\@others, [], 'what mnetctl made as root belongs to the owner of the state directory');
}

# --- a peer in PHP: what it lists, and what it sends back ---
SKIP: {
    my $missing = Mnet::PhpPeer->missing;
    skip($missing, 1) if $missing;
    my $php = Mnet::PhpPeer->start(style => 'moodle');
    my $c = $php->wwwroot;
    $php->learn($a, 'moodle');
    my ($exit, $answer) = json('-w', $a, 'peers', 'add', $c, '--certificate', $php->pem_file);
    is($exit, 0, 'a PHP peer is added');
    ($exit, $answer) = json('-w', $a, 'call', $c, 'test/echo/lib.php/first', 'x');
    is($answer->{error}{kind}, 'policy', 'a method of a service we do not know is not called');
    ($exit, $answer) = json('-w', $a, 'peers', 'subscribe', $c, 'test');
    is($exit, 0, 'subscribing asks the peer for the methods');
    for my $case (['text', 'text'], ['42', 42], ['-7', -7], ['1.5', 1.5], ['true', JSON::PP::true], ['"42"', '42'],
        ['[1,"a"]', [1, 'a']], ['{"a": [1]}', { a => [1] }], ['[no json', '[no json'], ['007', '007']) {
        ($exit, $answer) = json('-w', $a, 'call', $c, 'test/echo/lib.php/first', $case->[0]);
        is_deeply([$exit, $answer->{result}], [0, $case->[1]], "an argument: $case->[0]");
    }
    like($h->mnetctl('--json', '-w', $a, 'call', '--string', $c, 'test/echo/lib.php/first', '42')->{out},
        qr/"result": "42"/, '--string sends text');
    my $long = join '', map { chr(0x4e00 + $_ % 5000) } 1 .. 30_000;
    utf8::encode(my $bytes = $long);
    ($exit, $answer) = json('-w', $a, 'call', $c, 'test/echo/lib.php/first', $bytes);
    ok($exit == 0 && $answer->{result} eq $long, 'a text of 90 KB returns whole, as JSON');
    ($exit, my $out) = as($a, 'call', $c, 'test/echo/lib.php/first', $bytes);
    ok($exit == 0 && $out eq "$bytes\n", '... and as text');
    $php->answer('test/echo/lib.php/first', "a\x{1b}[2Jb\x{9b}c\td");
    ($exit, $out) = as($a, 'call', $c, 'test/echo/lib.php/first');
    unlike($out, qr/[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]/, 'what a peer sends does not steer the terminal');
    # A long text comes in pieces of 32 KiB: the two bytes of a control in two of them.
    $php->answer('test/echo/lib.php/first', 'a' x (2 * 32_768 - 1) . "\x{9b}2J" . "\x{a9}" x 9_000);
    ($exit, $out) = as($a, 'call', $c, 'test/echo/lib.php/first');
    ok($exit == 0 && $out eq 'a' x 65_535 . '\\x9B2J' . "\xc2\xa9" x 9_000 . "\n",
        '... nor where a long text is cut, and the text is whole');
    $php->stop;
}

$h->stop;
done_testing;
