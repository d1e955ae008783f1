#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# Values and texts through the server and through the client, with every kind of peer: what one side
# wrote is what the other side has, é, 漢 and 😀 included.

use strict;
use warnings;
use utf8;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Test::More;
use JSON::PP;
use Mnet::Joined;
use Mnet::PhpPeer;

binmode Test::More->builder->$_, ':utf8' for qw(output failure_output todo_output);
my ($yes, $no) = (JSON::PP::true, JSON::PP::false);
my @styles = qw(moodle moodle-old mahara mahara-2023);
# Over 64 KiB a text goes through a file.
my @long = ('é漢😀 ' x 20_000, 'é' x 70_000, 'a' x 65_535 . 'é', 'x' x 1_000_000);
my $t = Mnet::Joined->start(echo => 1, config => "MnetFailureLimit 0\n", peers => {
    (map { $_ => { style => $_, section => { MnetPublish => 'test' } } } @styles[0 .. 2]),
    'mahara-2023' => { style => 'mahara', section => { MnetPublish => 'test', MnetPeerCharset => 'utf8' } },
    utf8 => { style => 'moodle', section => { MnetPeerCharset => 'utf8' } },
    bytes => { style => 'mahara', section => { MnetPeerCharset => 'bytes' } } });
my $site = $t->site;
$t->peer('mahara-2023')->set(utf8 => JSON::PP::true); # it reads UTF-8, and writes a reference a byte
my $ECHO = 'test/echo/lib.php';

my @texts = ('é', '漢', '😀', 'Ångström', 'Ōkami', 'é 漢 😀', 'Ångström Ō', 'José 😀', '<b>&"\'</b>', "line\nline",
    "tab\there", '  kept  ', '', 'Ã©', ']]>', '0042', 'ÿþ', '¿Qué?', "\x{2028}", 'naïve café', '&#233;');

# --- a peer calls us: what it sent comes back, in the form it can read ---

for my $style (@styles) {
    my $peer = $t->peer($style);
    subtest "$style calls: texts" => sub {
        for my $text (@texts) {
            my $reply = $peer->call($site, "$ECHO/first", [$text]);
            is($reply->{result}, $text, JSON::PP->new->encode([$text])) or diag explain $reply;
        }
        is_deeply($peer->call($site, "$ECHO/echo", [@texts[0 .. 12]])->{result}, [@texts[0 .. 12]],
            'all at once');
        is_deeply($peer->call($site, "$ECHO/first", [{ 'é' => '漢', 'last log id' => '0', 'a.b' => { 'ü' => ['ß'] } }])
            ->{result}, { 'é' => '漢', 'last log id' => '0', 'a.b' => { 'ü' => ['ß'] } }, 'names of members');
        my $fault = $peer->call($site, "$ECHO/fail", [7, 'é 漢']);
        is($fault->{fault}{text}, 'é 漢', 'the text of a fault');
    };
    subtest "$style calls: types" => sub {
        for my $value (-42, 0, 2147483647, -2147483648, 3.5, -0.25, $yes, $no, [1, 'two', [3]], [], { a => 1 },
            { a => { b => { c => [1, 2, { d => $yes }] } } }, [[], [[]]]) {
            my $reply = $peer->call($site, "$ECHO/first", [$value]);
            is_deeply($reply->{result}, $value, 'value ' . JSON::PP->new->canonical->allow_nonref->encode($value))
                or diag explain $reply;
        }
        is($peer->call($site, "$ECHO/type", [5])->{result}, 'int', 'an int is an int');
        is($peer->call($site, "$ECHO/type", ['5'])->{result}, 'string', '"5" is a string');
        is($peer->call($site, "$ECHO/type", [{ 'base64!' => 'abc' }])->{result}, 'base64', 'base64 is base64');
        is($peer->call($site, "$ECHO/first", [{ 'base64!' => 'abc' }])->{result}, 'abc', '  and goes back as text');
        is($peer->call($site, "$ECHO/type", [{ 'datetime!' => '20260102T03:04:05' }])->{result}, 'datetime', 'a date');
        is($peer->call($site, "$ECHO/first", [{ 'nil!' => $yes }])->{result}, '', 'null is an empty text');
        for my $long (@long) {
            my $got = $peer->call($site, "$ECHO/first", [{ long => $long }])->{result}{long};
            ok(defined $got && $got eq $long, 'a text of ' . length($long) . ' characters, "' . substr($long, 0, 3)
                . '..."');
        }
        my $many = { map { ("n$_" => [$_, "é$_"]) } 1 .. 2000 };
        is_deeply($peer->call($site, "$ECHO/first", [$many])->{result}, $many, 'a struct of 2,000 members');
    };
}

# --- documents that no encoder of ours wrote ---

my $own = $t->peer('moodle');
sub document {
    my ($inner, %o) = @_;
    my $xml = ($o{head} // '<?xml version="1.0"?>') . "<methodCall><methodName>$ECHO/echo</methodName>"
        . "<params>$inner</params></methodCall>";
    utf8::encode($xml) if !$o{bytes};
    my $file = $own->dir . '/document.xml';
    open my $out, '>:raw', $file or die $!;
    print $out $xml;
    close $out;
    return $own->call($site, "$ECHO/echo", [], xml => $file);
}

sub reads {
    my ($what, $value, $expected, %o) = @_;
    my $reply = document("<param>$value</param>", %o);
    return is_deeply($reply->{result}, [$expected], $what) || diag explain $reply;
}

reads('untyped text', '<value>text é</value>', 'text é');
reads('an empty value', '<value></value>', '');
reads('an empty value, short', '<value/>', '');
reads('an empty string', '<value><string/></value>', '');
reads('i4', '<value><i4>7</i4></value>', 7);
reads('i8', '<value><i8>7</i8></value>', 7);
reads('white space around what is typed', "<value>\n <int>\n 7 </int>\n</value>", 7);
reads('boolean true', '<value><boolean>true</boolean></value>', $yes);
reads('an exponent', '<value><double>1e3</double></value>', 1000.0);
reads('an int beyond 32 bits comes back as text', '<value><int>3000000000</int></value>', '3000000000');
reads('nil', '<value><nil/></value>', '');
reads('white space in a string', '<value><string>  a  </string></value>', '  a  ');
reads('CDATA', '<value><string><![CDATA[<a>]]></string></value>', '<a>');
reads('comments', '<!-- a --><value><!-- b --><string>x<!-- c -->y</string></value>', 'xy');
reads('references by number', '<value><string>&#233;&#x6f22;</string></value>', 'é漢');
reads('an empty array', '<value><array><data/></array></value>', []);
reads('ISO-8859-1', "<value><string>\xe9</string></value>", 'é', bytes => 1,
    head => '<?xml version="1.0" encoding="iso-8859-1"?>');
reads('no declaration', '<value><string>漢</string></value>', '漢', head => '');

for my $bad (['a non-number', '<param><value><int>seven</int></value></param>'],
    ['an unknown type', '<param><value><widget>1</widget></value></param>'],
    ['a struct without names', '<param><value><struct><member><value>1</value></member></struct></value></param>'],
    ['not well-formed', '<param><value><string>x</value></param>'],
    ['bad UTF-8', "<param><value><string>\xff\xfe</string></value></param>", bytes => 1],
    ['an entity', '<param><value><string>&nbsp;</string></value></param>']) {
    my ($what, $xml, %o) = @$bad;
    my $reply = document($xml, %o);
    is($reply->{fault}{code}, 7000, "$what: fault 7000") or diag explain $reply;
    ok($reply->{envelope}{verified}, '  sealed and signed');
}

# --- Python ---

SKIP: {
    my $why = Mnet::PhpPeer->python_missing;
    skip $why, 5 if $why;
    for my $encoding ('utf-8', 'iso-8859-1') {
        my @values = ('é 漢 😀', -7, 1.5, $yes, [1, []], { 'é' => 'x' }, { 'bytes!' => 'YWJj' }, { 'nil!' => $yes },
            { 'datetime!' => '20260102T03:04:05' });
        my @back = (@values[0 .. 5], 'abc', '', '20260102T03:04:05');
        my $reply = $own->call_python($site, "$ECHO/echo", \@values, encoding => $encoding);
        is_deeply($reply->{result}, \@back, "Python's document in $encoding is read") or diag explain $reply;
        is_deeply($reply->{python}{result}, \@back, '  and Python reads the answer');
    }
    my $reply = $own->call_python($site, "$ECHO/fail", [9, 'é']);
    is_deeply($reply->{python}{fault}, [9, 'é'], 'and a fault');
}

# --- we call a peer ---

for my $style (@styles, 'utf8', 'bytes') {
    subtest "we call $style" => sub {
        for my $text (@texts) {
            # Nor in an answer, where only MnetPeerCharset tells the libraries apart.
            next if $style eq 'moodle' && $text eq 'Ã©';
            my $got = $t->xcall($style, "$ECHO/first", $text);
            # What a Mahara reads of our request is right; mnetctl reads its answer.
            is($got->{json}{result}, $text, JSON::PP->new->encode([$text])) or diag explain $got;
            my ($last) = reverse $t->peer($style)->requests;
            is($last->{params}[0], $text, '  it arrived so');
        }
        my $types = $t->xcall($style, "$ECHO/types")->{json}{result};
        is_deeply($types, { int => -42, double => 3.5, true => $yes, false => $no, latin => 'Ångström é',
            kanji => '漢字', emoji => '😀', mixed => qq(Ōkami & <b>"é'</b>), empty => '', list => [1, 'two', [3]],
            none => [], struct => { 'last log id' => '0', 'é' => 'ï' }, lines => "one\ntwo", number => '0042',
            space => '  kept  ' }, 'every type it answers with') or diag explain $types;
        my ($last) = reverse $t->peer($style)->requests;
        is_deeply($t->xcall($style, "$ECHO/first", { a => [1, 2.5, $yes, 'é'], b => {} })->{json}{result},
            { a => [1, 2.5, $yes, 'é'], b => [] }, 'every type we send');
        for my $long (@long) {
            $t->peer($style)->answer('test/long/lib.php/text', $long);
            my $got = $t->xcall($style, 'test/long/lib.php/text')->{json}{result};
            ok(defined $got && $got eq $long, 'an answer of ' . length($long) . ' characters, "'
                . substr($long, 0, 3) . '..."');
        }
        is($t->xcall($style, "$ECHO/fail", 5, 'é 漢')->{json}{error}{code}, 5, 'a fault');
    };
}

done_testing;
