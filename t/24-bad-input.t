#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# Whatever comes in: a clear fault or status, one log line that says what and from whom, nothing leaked,
# no crash.

use strict;
use warnings;
use FindBin qw($Bin);
use lib "$Bin/lib";
use IO::Select;
use Test::More;
use Time::HiRes qw(sleep time);
use Mnet::Joined;

my $t = Mnet::Joined->start(echo => 1, config => "MnetFailureLimit 0\nMnetMaxBody 10m\n",
    peers => {
        map { $_ => { style => $_ eq 'mahara' ? $_ : 'moodle', section => { MnetPublish => 'test' } } }
            qw(moodle mahara signer) });
my $site = $t->site;
my $peer = $t->peer('moodle');
my @call = ($site, 'test/echo/lib.php/first', ['x']);
my $pid_before = $t->harness->can('pid') ? $t->harness->pid : undef;

# What every answer must hold to.
sub verdict {
    my ($what, $got, %o) = @_;
    if ($o{status}) {
        like($got->{status}, qr/^(?:$o{status})$/, "$what: status $o{status}") or diag explain $got;
    }
    if ($o{code}) {
        is($got->{status}, 200, "$what: status 200") if !$o{status};
        like($t->fault($got) // '', qr/^(?:$o{code})$/, "$what: fault $o{code}") or diag explain $got;
    }
    unlike($got->{body}, qr{root:|/etc/|PRIVATE|src/|\.c:\d|libxml|OpenSSL}, '  nothing leaked');
    one_line($what, $o{log}) if $o{log};
    return;
}

sub one_line {
    my ($what, $pattern) = @_;
    my @lines = $t->warnings;
    is(@lines, 1, '  one line in the log') or diag "$what:\n" . join "\n", @lines;
    like($lines[0] // '', $pattern, '  that says what');
    like($lines[0] // '', qr/127\.0\.0\.1/, '  and from whom');
    return;
}

sub send_it {
    my ($what, $body, $http, %o) = @_;
    $t->mark;
    my $got = $t->post($body, %$http);
    verdict($what, $got, %o);
    return $got;
}

# The same for a call by the peer, whose answer may be sealed.
sub call_it {
    my ($what, $code, $options, %o) = @_;
    $t->mark;
    my $reply = $peer->call(@call, %$options);
    like($reply->{fault}{code} // '', qr/^(?:$code)$/, "$what: fault $code") or diag explain $reply;
    ok($reply->{envelope}{encrypted} ? $reply->{envelope}{verified} || $o{unsigned} : $o{plain},
        $o{plain} ? '  in plain text' : '  sealed') if exists $o{plain} || exists $o{unsigned};
    one_line($what, $o{log}) if $o{log};
    return $reply;
}

my $good = $peer->body(@call);
my $xml = '<?xml version="1.0"?>';

subtest 'bodies that are no message' => sub {
    send_it('an empty body', '', {}, code => 7000, log => qr/empty|no MNET message/);
    send_it('white space', " \n\t ", {}, code => 7000, log => qr/7000/);
    send_it('10 MB of <', '<' x 10_000_000, {}, code => 7000, log => qr/7000/);
    send_it('10 MB of text', 'a' x 10_000_000, {}, code => 7000, log => qr/7000/);
    send_it('10 MB of NUL', "\0" x 10_000_000, {}, code => 7000, log => qr/7000/);
    send_it('an open comment', '<!--' . 'x' x 5_000_000, {}, code => 7000, log => qr/7000/);
    send_it('an open tag', '<a ' . 'x' x 5_000_000, {}, code => 7000, log => qr/7000/);
    send_it('random bytes', join('', map { chr int rand 256 } 1 .. 5000), {}, code => 7000, log => qr/7000/);
    send_it('JSON', '{"jsonrpc": "2.0"}', {}, code => 7000, log => qr/7000/);
    send_it('another root', "$xml<soap/>", {}, code => 7000, log => qr/7000/);
    send_it('a response', "$xml<methodResponse><params><param><value>1</value></param></params></methodResponse>",
        {}, code => 7000, log => qr/7000/);
    send_it('two documents', "$xml<methodCall><methodName>system/keyswap</methodName></methodCall><a/>", {},
        code => 7000, log => qr/7000/);
    send_it('UTF-16', "\xff\xfe<\0a\0/\0>\0", {}, code => 7000, log => qr/7000/);
    send_it('an unknown encoding', '<?xml version="1.0" encoding="EBCDIC-CP-US"?><a/>', {}, code => 7000,
        log => qr/7000/);
    send_it('no method', "$xml<methodCall><params/></methodCall>", {}, code => '7000|713|7021', log => qr/70|713/);
};

subtest 'DOCTYPE and entities' => sub {
    my $bomb = '<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa">' . join('', map { my ($n, $o) = (chr(98 + $_), chr(97 + $_));
        "<!ENTITY $n \"" . "&$o;" x 10 . '">' } 0 .. 8) . ']>';
    my $call = '<methodCall><methodName>system/keyswap</methodName><params><param><value>%s</value></param></params>'
        . '</methodCall>';
    for my $case (['a DOCTYPE', '<!DOCTYPE methodCall>', 'x'], ['an entity bomb', $bomb, '&j;'],
        ['an external entity', '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>', '&x;'],
        ['an external DTD', '<!DOCTYPE r SYSTEM "file:///etc/passwd">', 'x'],
        ['a parameter entity', '<!DOCTYPE r [<!ENTITY % x SYSTEM "http://127.0.0.1:1/x"> %x;]>', 'x'],
        ['a quadratic blow-up', '<!DOCTYPE r [<!ENTITY a "' . 'a' x 50_000 . '">]>', '&a;' x 50_000]) {
        my ($what, $dtd, $use) = @$case;
        my $started = time;
        send_it($what, $xml . $dtd . sprintf($call, $use), {}, code => 7000, log => qr/7000/);
        cmp_ok(time - $started, '<', 2, '  at once');
    }
    send_it('an undeclared entity', $xml . sprintf($call, '&x;'), {}, code => 7000, log => qr/7000/);
    for my $which (qw(plain bomb external)) {
        send_it("$which DOCTYPE on the envelope", $peer->body(@call, doctype => "wire:$which"), {}, code => 7000,
            log => qr/7000/);
        call_it("$which DOCTYPE in the envelope", 7023, { doctype => "signed:$which" }, plain => 1, log => qr/7023/);
        call_it("$which DOCTYPE in the call", 7000, { doctype => "plain:$which" }, plain => 0, log => qr/7000/);
    }
};

subtest 'depth, width, length' => sub {
    my $nested = sub { '<value><array><data>' x $_[0] . '<value>x</value>' . '</data></array></value>' x $_[0] };
    my $document = sub { "$xml<methodCall><methodName>$call[1]</methodName><params><param>$_[0]</param></params></methodCall>" };
    my $inside = sub {
        my ($what, $content, $code) = @_;
        my $file = $peer->dir . '/bad.xml';
        open my $out, '>:raw', $file or die $!;
        print $out $content;
        close $out;
        return call_it("$what, sealed", $code, { xml => $file }, log => qr/$code/);
    };
    send_it('10,000 deep', $document->($nested->(10_000)), {}, code => 7000, log => qr/7000/);
    send_it('10,000 deep, of one element', '<a>' x 10_000 . '</a>' x 10_000, {}, code => 7000, log => qr/7000/);
    $inside->('10,000 deep', $document->($nested->(10_000)), 7000);
    my $attributes = join ' ', map { "a$_=\"\"" } 1 .. 1_000_000;
    send_it('a million attributes', substr("<a $attributes", 0, 9_000_000) . '/>', {}, code => 7000, log => qr/7000/);
    $inside->('100,000 attributes', $document->('<value ' . join(' ', map { "a$_=\"\"" } 1 .. 100_000) . '>x</value>'),
        7000);
    $inside->('two million elements', $document->('<value><array><data>' . '<value/>' x 700_000
        . '</data></array></value>' . ''), 7000) if 0;
    send_it('a name without end', '<' . 'a' x 1_000_000 . '/>', {}, code => 7000, log => qr/7000/);
    $inside->('a method of 100,000 bytes', "$xml<methodCall><methodName>" . 'a/b' x 33_000
        . '</methodName><params/></methodCall>', '713|7012|7000');
};

subtest 'truncated anywhere' => sub {
    my %seen;
    my @cuts = (1 .. 20, map { int($_ * length($good) / 60) } 1 .. 59);
    push @cuts, length($good) - $_ for 1 .. 25;
    my @bad;
    for my $cut (@cuts) {
        my $got = $t->post(substr $good, 0, $cut);
        my $code = $t->fault($got) // '?';
        $seen{"$got->{status} $code"}++;
        push @bad, $cut if "$got->{status} $code" ne '200 7000';
    }
    is_deeply(\@bad, [], 'every cut of an envelope: fault 7000') or diag explain \%seen;
    my $signed = $peer->body(@call, no_seal => 1);
    @bad = ();
    for my $cut (map { int($_ * length($signed) / 12) } 1 .. 11) {
        my $file = $peer->dir . '/cut.xml';
        open my $out, '>:raw', $file or die $!;
        print $out substr $signed, 0, $cut;
        close $out;
        my $reply = $peer->call(@call, signed => $file);
        push @bad, $cut if ($reply->{fault}{code} // 0) != 7023 || $reply->{envelope}{encrypted};
    }
    is_deeply(\@bad, [], 'every cut of what is inside: fault 7023');
};

subtest 'HTTP' => sub {
    for my $method (qw(GET HEAD PUT DELETE PATCH)) {
        my $got = send_it($method, '', { method => $method, headers => { 'Content-Length' => undef } }, status => 405);
        like($got->{headers}{allow} // '', qr/POST/, '  and Allow names POST');
    }
    my $got = $t->post($good, length => length($good) + 100, shut => 1, wait => 20);
    like($got->{status}, qr/^(?:0|400|408|200)$/, 'a length too long: no harm');
    isnt($t->fault($got) // 7000, undef, '  no answer to the call') if $got->{status} == 200;
    $got = $t->post($peer->body(@call), length => 1000);
    is($t->fault($got), 7000, 'a length too short: fault 7000');
    like($t->post($good, headers => { 'Content-Length' => '-5' })->{status}, qr/^4/, 'a negative length: 4xx');
    like($t->post($good, headers => { 'Content-Length' => '5, 6' })->{status}, qr/^4/, 'two lengths: 4xx');
    $got = $t->post($peer->body(@call), chunked => 1);
    ok($got->{status} == 200 && !defined $t->fault($got), 'chunked: answered');
    like($t->post($peer->body(@call), chunked => 1, shut => 1, wait => 20)->{status}, qr/^(?:0|4\d\d|200)$/,
        'chunked, never ended: no harm');
    like($t->post("5\r\nabc", headers => { 'Transfer-Encoding' => 'chunked', 'Content-Length' => undef },
        shut => 1, wait => 20)->{status}, qr/^(?:0|400|200)$/, 'chunks that lie: no harm');
    $t->mark;
    my $packed = $peer->call(@call, gzip => 1);
    ok($packed->{status} == 415 || ($packed->{fault}{code} // 0) == 7000, 'gzip: refused') or diag explain $packed;
    $got = send_it('a sealed message to publickey.php', $good, { path => '/mnet/publickey.php' });
    like($got->{status}, qr/^(?:405|200)$/, '  is nothing');
    unlike($got->{body}, qr/encryptedMessage/, '  that is answered');
    for my $type ('application/x-www-form-urlencoded', 'text/xml charset=UTF-8', 'multipart/form-data; boundary=x',
        'application/json', 'text/xml; charset=utf-16', '') {
        my $reply = $peer->call(@call, header => ["Content-Type: $type"]);
        ok(($reply->{result} // '') eq 'x' || $reply->{status} == 415, "content type \"$type\"") or diag explain $reply;
    }
    is($peer->call(@call, header => ['Content-Type: text/xml charset=UTF-8'])->{result}, 'x',
        "a Mahara's content type is understood");
};

subtest 'trust' => sub {
    call_it('an unknown wwwroot', 7020, { wwwroot => 'http://nobody.example.org' }, plain => 1,
        log => qr{http://nobody\.example\.org.*7020});
    call_it('an empty wwwroot', '7020|7000', { wwwroot => '' }, plain => 1, log => qr/70[02]0/);
    call_it('a wwwroot with markup', '7020|7000', { wwwroot => 'a"b\'c]]&gt;' }, plain => 1);
    call_it('a wwwroot of two lines', '7020|7000', { wwwroot => "http://a.example.org\nforged: line" }, plain => 1,
        log => qr/7020|7000/);
    call_it('a wwwroot of 100,000 bytes', '7020|7000', { wwwroot => 'http://' . 'a' x 100_000 }, plain => 1,
        log => qr/70[02]0/);
    call_it('two wwwroots that differ', 7103, { inner => $t->peer('mahara')->wwwroot }, plain => 0, log => qr/7103/);
    $t->mark;
    my $theirs = $peer->call(@call, outer => $t->peer('mahara')->wwwroot);
    ok($theirs->{envelope}{encrypted} && !defined $theirs->{result}, 'the other way round: an answer for the other');
    one_line('the other way round', qr/7103/);
    my $other = Mnet::PhpPeer->start(style => 'moodle');
    call_it('sealed to another key', 7023, { seal_to => $other->pem_file }, plain => 1, log => qr/7023/);
    call_it('a tampered wrapped key', 7023, { tamper => 'wrapped' }, plain => 1, log => qr/7023/);
    call_it('tampered cipher text', '7023|710', { tamper => 'cipher' }, log => qr/7023|710/);
    call_it('encrypted but not signed', 711, { no_sign => 1 }, unsigned => 1, log => qr/711/);
    call_it('not encrypted', 7021, { no_seal => 1 }, plain => 1, log => qr/7021/);
    call_it('neither', 7021, { no_seal => 1, no_sign => 1 }, plain => 1, log => qr/7021/);
    call_it('a stale time', 7101, { skew => -3600 }, plain => 0, log => qr/7101/);
    call_it('a future time', 7101, { skew => 3600 }, plain => 0, log => qr/7101/);
    call_it('the year 2001', 7101, { timestamp => 1_000_000_000 }, plain => 0, log => qr/7101/);
    call_it('time 0', 7101, { timestamp => 0 }, plain => 0, log => qr/7101/);
    call_it('a time of twenty digits', '7101|7023', { timestamp => '99999999999999999999' }, log => qr/7101|7023/);
    call_it('a time that is none', '7101|7023', { timestamp => 'now' }, log => qr/7101|7023/);
    $t->mark;
    for my $skew (-600, 600, -20) {
        my $reply = $peer->call(@call, skew => $skew);
        ok(($reply->{result} // '') eq 'x' && !$reply->{error}, "$skew seconds off are within MnetClockSkew,"
            . ' and the answer is one that such a Moodle takes') or diag explain $reply;
    }
    is(scalar grep({ /MNET0462/ } $t->lines), 1, '  and we are told, once');
    call_it("a second $_", 7023, { double => $_ }, plain => 1, log => qr/7023/)
        for qw(object signature wwwroot timestamp);
    call_it("a second $_", 7000, { double => $_ }, plain => 1, log => qr/7000/) for qw(cipher key outer);
};

subtest 'signatures' => sub {
    # Each makes the site ask the peer for its key, once a minute.
    my $peer = $t->peer('signer');
    is($peer->call(@call)->{result}, 'x', 'a good signature');
    $peer->forget_requests;
    $t->mark;
    my $reply = $peer->call(@call, tamper => 'signature');
    is($reply->{fault}{code}, 710, 'a tampered signature: fault 710') or diag explain $reply;
    ok($reply->{envelope}{verified}, '  sealed and signed');
    ok((grep { /710/ && /127\.0\.0\.1/ } $t->warnings), '  and told');
    my $asked = grep { $_->{method} && $_->{method} eq 'system/listServices' } $peer->requests;
    is($asked, 1, 'the peer was asked for its key once');
    is($peer->call(@call, tamper => 'payload')->{fault}{code}, 710, 'a tampered payload: 710');
    my $other = Mnet::PhpPeer->start(style => 'moodle');
    open my $out, '>', $other->dir . '/key.pem' or die $!;
    print $out $other->admin('private-key');
    close $out;
    is($peer->call(@call, sign_with => $other->dir . '/key.pem')->{fault}{code}, 710, "a stranger's signature: 710");
    is($peer->call(@call, tamper => 'signature')->{fault}{code}, 710, "again: 710") for 1 .. 2;
    $asked = grep { $_->{method} && $_->{method} eq 'system/listServices' } $peer->requests;
    is($asked, 1, 'and it was still asked but once');
    is($peer->call(@call)->{result}, 'x', 'a good signature is good');
    my $sha256 = $peer->call(@call, hash => 'sha256');
    like($sha256->{result} // $sha256->{fault}{code}, qr/^(?:x|710)$/, 'SHA-256 is taken or refused');
};

subtest 'padding' => sub {
    my (%bodies, %seconds, @wrong);
    for my $kind ($peer->paddings) {
        my $body = $peer->body(@call, padding => $kind);
        $t->mark;
        my $got = $t->post($body);
        push @wrong, "$kind: $got->{status} " . ($t->fault($got) // '?') if ($t->fault($got) // 0) != 7023;
        my @lines = $t->warnings;
        push @wrong, "$kind: " . @lines . ' lines' if @lines != 1;
        push @{ $bodies{ $got->{body} } }, $kind;
        $seconds{$kind} = $got->{seconds};
    }
    is_deeply(\@wrong, [], 'every kind of bad padding: 7023 and one line');
    is(scalar keys %bodies, 1, 'the same bytes for all of them') or diag explain [values %bodies];
    my $junk = $t->post($peer->body(@call, seal_to => Mnet::PhpPeer->start(style => 'moodle')->pem_file));
    ok(exists $bodies{ $junk->{body} }, 'and for a message to another key');
    is($peer->call(@call, padding => 'good')->{result}, 'x', 'while good padding opens') ;
    note sprintf 'slowest %.1f ms, fastest %.1f ms', map { 1000 * $_ } (sort { $b <=> $a } values %seconds)[0, -1];
};

subtest 'too large, too slow' => sub {
    for my $how (['declared', { length => 50_000_000, stop_early => 1, wait => 10 }, 'x' x 1000],
        ['chunked', { chunked => 1, stop_early => 1 }, 'x' x 11_000_000]) {
        my ($what, $http, $body) = @$how;
        $t->mark;
        my $got = $t->post($body, %$http);
        is($got->{status}, 413, "a body over MnetMaxBody, $what: 413") or diag explain { %$got, body => '' };
        cmp_ok($got->{seconds}, '<', 5, '  at once');
        ok((grep { /127\.0\.0\.1/ } $t->lines), '  and told');
    }
    my $limit = 10 * 1024 * 1024;
    is($t->fault($t->post('<' . 'a' x ($limit - 1))), 7000, 'one of just that size is read');
    is($t->post('<' . 'a' x $limit)->{status}, 413, 'and not one byte more');
    # Slow senders hold their own connection only.
    my @slow;
    for (1 .. 5) {
        my $socket = $t->connect or next;
        (my $host = $site) =~ s{^http://}{};
        print {$socket} "POST /mnet/xmlrpc/server.php HTTP/1.1\r\nHost: $host\r\nContent-Length: 5000\r\n\r\n";
        $socket->flush;
        push @slow, $socket;
    }
    my $started = time;
    is($peer->call(@call)->{result}, 'x', 'beside slow senders a call is answered');
    cmp_ok(time - $started, '<', 3, '  at once');
    for (1 .. 5) {
        print {$_} 'x' and $_->flush for @slow;
        sleep 0.1; # a slow sender
    }
    close $_ for @slow;
    my $got = $t->post($peer->body(@call), slow => 200);
    ok($got->{status} == 200 && !defined $t->fault($got), sprintf('a slow sender is answered in the end (%.1f s)',
        $got->{seconds}));
};

is($t->alive('moodle'), 1, 'the server is alive');
ok(!(grep { /exit signal|Segmentation|AddressSanitizer|runtime error/ } split /\n/, $t->log_text), 'no child died');
unlike($t->log_text, qr/PRIVATE KEY|^forged/m, 'nothing secret in the log, no forged line');

subtest 'MnetFailureLimit' => sub {
    my $limited = Mnet::Joined->start(echo => 1, config => "MnetFailureLimit 5/1m\n",
        peers => { moodle => { style => 'moodle', section => { MnetPublish => 'test' } } });
    my $one = $limited->peer('moodle');
    my @here = ($limited->site, 'test/echo/lib.php/first', ['x']);
    is($one->call(@here, padding => 'random')->{fault}{code}, 7023, "failure $_") for 1 .. 5;
    $limited->mark;
    is($one->call(@here)->{status}, 429, 'then the address is answered 429') for 1 .. 3;
    is(scalar $limited->warnings, 1, '  told once');
    is($one->call(@here, from => '127.0.0.2')->{result}, 'x', '  and another address as before');
};

done_testing;
