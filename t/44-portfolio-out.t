#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# Packages that leave, for a peer in PHP that takes them as a Mahara does: from mnetctl to its disk.

use strict;
use warnings;
use utf8;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Digest::SHA qw(sha1_hex);
use Encode qw(encode_utf8);
use JSON::PP;
use MIME::Base64 qw(decode_base64);
use IO::Socket::INET;
use Test::More;
use Time::HiRes qw(sleep);
use Mnet::SignOn;

binmode Test::More->builder->$_, ':encoding(UTF-8)' for qw(output failure_output);

my %section = (MnetPublish => 'pf sso_idp', MnetSubscribe => 'pf sso_sp');
my $t = Mnet::SignOn->start(peers => { map { $_ => { style => 'mahara', section => \%section } } qw(mahara other) },
    config => "MnetTimeout 5s\nMnetPortfolioInterval 1s\n", site => sub {
        return 'MnetPortfolioDir ' . $_[0]->root . "/portfolio\n<Location /call>\nSetHandler mnet-call\nRequire local\n</Location>\n";
    });
my $h = $t->harness;
my $mahara = $t->peer('mahara');
my $dir = $h->root . '/mine';

sub file { return $h->mine(@_) }

# mnetctl portfolio send, for alice at the Mahara; the answer, with what it says as `out`.
sub send_it {
    my ($paths, @more) = @_;
    return $t->ctl(qw(portfolio send), @$paths, '--user', 'alice', '--peer', $mahara->wwwroot, @more);
}

# The same, and the user waits.
sub deliver {
    my ($paths, @more) = @_;
    my $got = send_it($paths, qw(--wait --patience 30s), @more);
    is($got->{json}{state}, 'delivered', '  it is delivered') or diag "$got->{out}$got->{err}", $h->error_log;
    return $got->{json};
}

sub sent {
    my ($id) = @_;
    my ($one) = grep { $_->{id} eq $id } @{ $t->ctl(qw(portfolio list --max 1000))->{json}{sites}[0]{sent} };
    return $one;
}

sub wait_state {
    my ($id, $state) = @_;
    Mnet::Harness::wait_for(sub { (sent($id)->{state} // '') eq $state }, 20);
    is(sent($id)->{state}, $state, "  it is $state") or diag $h->error_log;
    return;
}

sub last_in { return ($mahara->received)[-1] || {} }

# The peer's token of a transfer of ours, by the digest of its package.
sub token {
    my ($id) = @_;
    my ($queue, $sha1) = ($mahara->state->{queue}, sent($id)->{sha1});
    my ($token) = grep { ($queue->{$_}{data}{zipfilesha1} // '') eq $sha1 } keys %$queue;
    return $token;
}

# Files of ours below outgoing.
sub lying { return grep { !/\.lock$/ } glob $h->root . '/portfolio/outgoing/.sending/*' }

sub fetch {
    my ($peer, $token) = @_;
    return $peer->call($t->site, 'portfolio/mahara/lib.php/fetch_file', [$token]);
}

subtest 'a file, while the user waits' => sub {
    my $text = 'An essay. ' x 1000;
    my $got = deliver([file('essay.txt', $text)]);
    my ($in) = $mahara->received;
    is_deeply($in->{files}, { 'essay.txt' => sha1_hex($text) }, 'the peer has it');
    is_deeply($in->{names}, ['essay.txt'], '  by its name');
    is("$in->{user} $in->{format}", 'alice file', '  for the user, as a file');
    is_deeply($in->{types}, [qw(string integer string)], '  and was told in the types that Moodle uses');
    is($in->{said}, length $text, '  how much it is');
    is($got->{sha1}, $in->{sha1}, 'the digest of the package');
    is($got->{kind}, 'text', 'the format of the Portfolio API');
    is($got->{content}, sha1_hex($text), 'what is in it');
    like($got->{continue}, qr{jump\.php\?hostwwwroot=.*wantsurl=/artefact/file/%3Ffolder%3D41%26file%3D97}, 'where the user continues');
    is_deeply([lying()], [], 'nothing is left lying here');
    my @asked = grep { /fetch_file|content/ } map { $_->{method} // '' } $mahara->requests;
    is_deeply(\@asked, [map { "portfolio/mahara/lib.php/send_content_$_" } qw(intent ready)], 'two calls were enough');
};

subtest 'many files' => sub {
    mkdir "$dir/$_" for qw(course course/week1 course/week2);
    my %text = ('course/plan.html' => '<p>', encode_utf8('course/Ångström 漢字.txt') => 'ring', 'course/week1/notes.txt' => '1',
        'course/week2/notes.txt' => '2', 'course/week2/same.txt' => '1', 'course/.hidden' => 'h');
    file($_, $text{$_}) for keys %text;
    symlink '/etc/passwd', "$dir/course/link";
    my $got = deliver(["$dir/course", file('extra.bin', "\0\1\2")]);
    my $files = last_in()->{files};
    is_deeply([sort values %$files], [sort map { sha1_hex($_) } '<p>', 'ring', '1', '2', "\0\1\2"],
        'each content once, without what is hidden or a link') or diag explain $files;
    ok($files->{'notes.txt'} && $files->{'week2-notes.txt'}, '  without folders, two of a name apart');
    ok($files->{'Ångström 漢字.txt'}, '  in any script');
    is($got->{files}, 5, 'five files');
    is($got->{kind}, 'richhtml', '  with a page among them');
    ok(!deliver([file('photo.jpg', 'JFIF' x 100)], '--format', 'image/jpeg')->{error}, 'a MIME type');
    is(sent($t->ctl(qw(portfolio list))->{json}{sites}[0]{sent}[0]{id})->{kind}, 'image', '  names its format');
};

subtest 'LEAP2A' => sub {
    mkdir "$dir/leap";
    mkdir "$dir/leap/files";
    file('leap/leap2a.xml', '<feed xmlns="http://www.w3.org/2005/Atom"/>');
    file('leap/files/a.txt', 'attached');
    my $got = deliver(["$dir/leap"]);
    is(last_in()->{format}, 'leap2a', 'a folder with leap2a.xml');
    is_deeply([sort keys %{ last_in()->{files} }], [qw(files/a.txt leap2a.xml)], '  keeps its folders');
    my ($token) = map { $_->{token} } last_in();
    my $zip = Mnet::Harness::slurp($mahara->dir . "/received/$token.zip");
    deliver([file('portfolio.zip', $zip)], '--again');
    is(last_in()->{sha1}, sha1_hex($zip), 'a zip with leap2a.xml goes as it is');
    is(last_in()->{format}, 'leap2a', '  as LEAP2A');
    deliver([file('other.zip', $zip =~ s/leap2a\.xml/leap2b.xml/gr)]);
    is_deeply([keys %{ last_in()->{files} }], ['other.zip'], 'another zip is a file');
    $got = send_it(["$dir/other.zip"], qw(--package --again));
    is($got->{json}{files}, 2, '  unless --package says that it is the package');
    $t->ctl(qw(queue drop), $got->{json}{id});
    wait_state($got->{json}{id}, 'dropped');
    Mnet::Harness::wait_for(sub { !lying() });
    is_deeply([lying()], [], '  and what is dropped goes with its files');
    $got = send_it(["$dir/essay.txt"], '--format', 'leap2a');
    is($got->{exit}, 2, 'what is no LEAP2A is not called so');
};

subtest 'queued' => sub {
    my $got = send_it([file('later.txt', 'later')]);
    is($got->{exit}, 0, 'without --wait');
    is($got->{json}{state}, 'queued', '  it is queued');
    my $id = $got->{json}{id};
    wait_state($id, 'offered');
    is(scalar lying(), 1, 'the package waits for the peer');
    my $token = token($id);
    is_deeply(fetch($t->peer('other'), $token)->{fault}{code}, 8011, 'another peer does not get it');
    is_deeply($mahara->work_portfolio, { taken => 1, failed => [] }, 'the peer fetches it in its own time');
    wait_state($id, 'delivered');
    is_deeply(last_in()->{files}, { 'later.txt' => sha1_hex('later') }, '  whole');
    is(fetch($mahara, $token)->{fault}{code}, 8009, 'a second time it is given nothing');
    is(fetch($mahara, '0' x 40)->{fault}{code}, 8009, 'nor by another token');
    sleep 5.5; # within five seconds whoever asks again did not die meanwhile
    is(sha1_hex(decode_base64(fetch($mahara, $token)->{result} // '')), sent($id)->{sha1}, 'a peer that died over it gets it again, later');
    is(fetch($mahara, $token)->{fault}{code}, 8009, '  but not at once');
    is(sent($id)->{state}, 'delivered', '  which is one delivery');
    is(scalar lying(), 1, 'the package is kept a while, should the peer have died over it');
    $mahara->set(portfolio => { twice => 1 });
    deliver([file('twice.txt', 'twice')]);
    is_deeply($mahara->state->{again}, [8009], 'nor while the user waits');
    $mahara->set(portfolio => { sendtype => 'queue' });
    $got = send_it([file('queue.txt', 'queue')], '--wait');
    is($got->{exit}, 3, 'a peer that only queues is not waited for without end');
    is($got->{json}{state}, 'offered', '  and has it offered');
    like($got->{err}, qr/has queued it and fetches it when it likes/, '  which is said');
    $id = $got->{json}{id};
    wait_state($id, 'offered');
    is_deeply($mahara->work_portfolio, { taken => 1, failed => [] }, 'a peer that queues');
    wait_state($id, 'delivered');
    is(send_it([file('patience.txt', 'patience')], qw(--wait --patience 1s))->{exit}, 3, '  nor for longer than one has patience');
    is($mahara->work_portfolio->{taken}, 1, '  it is taken all the same');
    $mahara->set(portfolio => undef);
    $id = send_it([file('retold.txt', 'retold')])->{json}{id};
    wait_state($id, 'offered');
    my $heard = $mahara->heard('portfolio/mahara/lib.php/send_content_ready');
    is($t->ctl(qw(queue retry), $id)->{exit}, 0, 'a peer that takes its time');
    Mnet::Harness::wait_for(sub { $mahara->heard('portfolio/mahara/lib.php/send_content_ready') > $heard });
    wait_state($id, 'offered');
    is($mahara->heard('portfolio/mahara/lib.php/send_content_ready'), $heard + 1, '  may be told again');
    $mahara->work_portfolio;
    wait_state($id, 'delivered');
};

subtest 'what is refused' => sub {
    my ($before, @lying) = (scalar @{ $t->ctl(qw(portfolio list))->{json}{sites}[0]{sent} }, lying());
    $mahara->set(portfolio => { sendtype => 'none' });
    my $got = send_it([file('no.txt', 'no')]);
    is($got->{exit}, 1, 'a peer that takes nothing');
    like($got->{json}{error}{message}, qr/takes nothing for alice/, '  says so');
    $mahara->set(portfolio => { users => ['bob'] });
    $got = send_it(["$dir/no.txt"]);
    is($got->{exit}, 1, 'a user without an account there');
    like($got->{json}{error}{message}, qr/Could not find user alice/, '  says what the peer says');
    my ($jump) = $got->{json}{error}{message} =~ m{(http://\S+jump\.php\S+)};
    ok($jump, '  and by which link they get one');
    $mahara->set(portfolio => { refuse => 'Importing content is disabled' });
    $got = send_it(["$dir/no.txt"]);
    is($got->{exit}, 1, 'a peer that has imports off');
    like($got->{json}{error}{message}, qr/Importing content is disabled.*"We import content" is off/, '  says so, and what it means');
    unlike($got->{json}{error}{message}, qr/account/, '  which is not the account');
    $mahara->set(portfolio => { refuse => 'Cannot find unzip executable' });
    like(send_it(["$dir/no.txt"])->{json}{error}{message}, qr/Cannot find unzip executable$/, "other trouble of the peer's is in its words alone");
    $mahara->set(portfolio => undef);
    my $browser = $t->visitor(user => 'alice:secret', realm => $t->site);
    my $at = $browser->get($jump, 'X-First' => Mnet::SignOn::base64('Alice'), 'X-Last' => Mnet::SignOn::base64('A'));
    like($at->{location}, qr/remoteurl=1/, 'the link');
    $at = $browser->get($at->{location});
    like($at->{location}, qr{^\Q@{[$t->site]}\E/}, '  takes them there and straight back');
    ok($mahara->arrived('alice', $t->site), '  with an account there');
    for my $case (['no such file' => ["$dir/none"], [], 2], ['an unknown format' => ["$dir/no.txt"], [qw(--format tarot)], 2],
        ['a device' => ['/dev/null'], [], 2], ['an empty folder' => [do { mkdir "$dir/empty"; "$dir/empty" }], [], 2]) {
        is(send_it($case->[1], @{ $case->[2] })->{exit}, $case->[3], $case->[0]);
    }
    is($t->ctl(qw(portfolio send), "$dir/no.txt", qw(--user alice --peer http://nobody.example))->{exit}, 1, 'an unknown peer');
    is($t->ctl(qw(portfolio send), "$dir/no.txt", '--peer', $mahara->wwwroot)->{exit}, 2, 'nobody');
    is($t->ctl(qw(portfolio send), "$dir/no.txt", '--peer', $mahara->wwwroot, '--user', "a\nb")->{exit}, 2, 'nobody who can be');
    is(scalar @{ $t->ctl(qw(portfolio list))->{json}{sites}[0]{sent} }, $before, 'nothing of it was accepted');
    is_deeply([lying()], \@lying, '  and nothing is left lying');
};

subtest 'the same again' => sub {
    deliver([file('once.txt', 'once')]);
    my $got = send_it([file('renamed.txt', 'once')]);
    is($got->{exit}, 1, 'the same content under another name');
    is($got->{json}{error}{kind}, 'again', '  is told of');
    like($got->{json}{error}{message}, qr/once\.txt.*delivered 20\d\d-.*--again/, '  when it was sent before, and how to do it all the same');
    $got = $t->ctl(qw(portfolio send), "$dir/once.txt", qw(--user bob --peer), $mahara->wwwroot);
    is($got->{exit}, 0, 'for somebody else it is not the same');
    deliver(["$dir/renamed.txt"], '--again');
    is_deeply(last_in()->{names}, ['renamed.txt'], 'nothing is overwritten: it is sent once more');
    $mahara->work_portfolio;
};

sub random {
    my ($size) = @_;
    open my $in, '<:raw', '/dev/urandom' or die $!;
    my $bytes;
    read $in, $bytes, $size;
    return $bytes;
}

# Reads a part of the answer and is gone.
sub break_off {
    my ($token, $bytes) = @_;
    my $body = $mahara->body($t->site, 'portfolio/mahara/lib.php/fetch_file', [$token]);
    my $socket = $t->connect;
    syswrite $socket, "POST /mnet/xmlrpc/server.php HTTP/1.1\r\nHost: " . ($t->site =~ s{http://}{}r) . "\r\nUser-Agent: Mahara\r\n"
        . "Content-Type: text/xml\r\nContent-Length: " . length($body) . "\r\n\r\n$body";
    my $got = 0;
    while ($got < $bytes) {
        my $piece;
        my $n = sysread $socket, $piece, 1000 < $bytes - $got ? 1000 : $bytes - $got or last;
        $got += $n;
    }
    close $socket;
    return $got;
}

subtest 'a connection that breaks' => sub {
    for my $size (60_000, 20_000_000) {
        my $id = send_it([file("large$size.bin", random($size))])->{json}{id};
        wait_state($id, 'offered');
        my $token = token($id);
        $h->clear_log;
        is(break_off($token, 20_000), 20_000, "half of $size bytes");
        ok($h->wait_log(qr/MNET1061/), '  is noticed');
        is(sent($id)->{state}, 'offered', '  and not taken for the whole');
        is_deeply($mahara->work_portfolio, { taken => 1, failed => [] }, '  the peer can fetch again');
        wait_state($id, 'delivered');
    }
};

subtest 'peers with troubles' => sub {
    $h->expect_log(qr/MNET1005.*Exceeded user quota/);
    $mahara->set(portfolio => { fail => 'Exceeded user quota' });
    my $got = send_it([file('quota.txt', 'quota')], qw(--wait --patience 20s));
    is($got->{exit}, 1, 'a peer that fetches it and does not want it');
    like($got->{json}{error}{message}, qr/parked.*Exceeded user quota/, '  is not sent it again and again');
    my $id = $t->ctl(qw(portfolio list))->{json}{sites}[0]{sent}[0]{id};
    $mahara->set(portfolio => undef);
    is($t->ctl(qw(queue retry), $id)->{exit}, 0, 'an administrator may have it tried again');
    wait_state($id, 'delivered');
    $mahara->stop;
    $got = send_it([file('down.txt', 'down')]);
    is($got->{exit}, 0, 'a peer that is down');
    is($got->{json}{state}, 'queued', '  costs a wait');
    $id = $got->{json}{id};
    like($got->{err}, qr/asked again later/, '  and a word');
    ok($h->wait_log(qr/MNET1006.*$id/), '  it is tried');
    $mahara->restart;
    $t->ctl('ping', $mahara->wwwroot);
    is($t->ctl(qw(queue retry), $id)->{exit}, 0, '  and once the peer is back');
    wait_state($id, 'offered');
    is_deeply($mahara->work_portfolio, { taken => 1, failed => [] }, '  is delivered');
    $id = send_it([file('gone.txt', 'gone')])->{json}{id};
    wait_state($id, 'offered');
    my $token = token($id);
    $h->expect_log(qr/MNET1067/);
    unlink lying();
    is(fetch($mahara, $token)->{fault}{code}, 8013, 'a package that somebody removed');
    is($t->ctl(qw(queue drop), $id)->{exit}, 0, 'dropped');
    wait_state($id, 'dropped');
    is(fetch($mahara, $token)->{fault}{code}, 8010, '  it is gone');
};

subtest 'answers that are lost' => sub {
    $mahara->set(portfolio => { lost => 1 });
    my $id = send_it([file('lost.txt', 'lost')])->{json}{id};
    ok($h->wait_log(qr/MNET1006.*$id.*500/), 'of a peer that queues it');
    is(sent($id)->{state}, 'queued', '  it is told again');
    is($mahara->work_portfolio->{taken}, 1, '  and may fetch meanwhile');
    wait_state($id, 'delivered');
    my $before = $mahara->received;
    $id = send_it([file('lost2.txt', 'lost2')], qw(--wait --patience 1s))->{json};
    ($id) = map { $_->{id} } grep { $_->{title} eq 'lost2.txt' } @{ $t->ctl(qw(portfolio list))->{json}{sites}[0]{sent} };
    ok($h->wait_log(qr/MNET1065.*$id/), 'of a peer that has fetched it: it is told again, and knows of nothing any more');
    wait_state($id, 'delivered');
    is(scalar $mahara->received, $before + 1, '  it has it once');
    $mahara->set(portfolio => undef);
};

subtest 'by a local application' => sub {
    my $out = $h->root . '/portfolio/outgoing';
    my $call = sub {
        my (%o) = @_;
        my $got = $h->http(POST => $h->url(0, '/call'), { 'Content-Type' => 'application/json' },
            encode_json({ peer => $mahara->wwwroot, method => 'mod_mnet/portfolio_send', params => [{ user => 'alice', %o }] }));
        return { %$got, json => eval { decode_json($got->{content}) } };
    };
    Mnet::Harness::write_file("$out/report.txt", 'a report');
    mkdir "$out/folder";
    Mnet::Harness::write_file("$out/folder/one.txt", '1');
    symlink "$dir/essay.txt", "$out/link.txt";
    my $got = $call->(file => 'report.txt', wait => JSON::PP::true);
    is($got->{json}{result}{state}, 'delivered', 'a file below outgoing, while the user waits') or diag explain $got;
    is_deeply(last_in()->{files}, { 'report.txt' => sha1_hex('a report') }, '  is there');
    $got = $call->(file => ['folder', 'report.txt']);
    like($got->{json}{result}{id}, qr/^[0-9a-f]{32}$/, 'several');
    wait_state($got->{json}{result}{id}, 'offered');
    $got = $call->(file => 'report.txt');
    is($got->{status}, 403, 'the same again is refused');
    like($got->{json}{error}{message}, qr/before/, '  with the reason');
    my ($package) = lying();
    for my $path ("$dir/essay.txt", '../../mine/essay.txt', 'folder/../report.txt', 'link.txt', '.sending/' . ($package =~ s{.*/}{}r), '', 'none',
        '/etc/passwd') {
        $got = $call->(file => $path);
        is($got->{status}, 403, "not $path") or diag explain $got;
    }
    is($call->(file => 'report.txt', user => '')->{status}, 403, 'nor for nobody');
    $mahara->work_portfolio;
};

$h->configure(site_config => sub {
    my ($harness, $i) = @_;
    return "MnetPortfolioDir " . $harness->root . "/portfolio\nMnetPortfolioExpire 3s\n";
});
$h->graceful;
subtest 'expired' => sub {
    my $got = send_it([file('expires.txt', 'expires')]);
    my $id = $got->{json}{id};
    wait_state($id, 'offered');
    my $token = token($id);
    wait_state($id, 'expired');
    is(fetch($mahara, $token)->{fault}{code}, 8010, 'what nobody fetched is gone');
    Mnet::Harness::wait_for(sub { !grep { /$id/ } lying() });
    is_deeply([grep { /$id/ } lying()], [], '  with its files');
    is(send_it(["$dir/expires.txt"])->{exit}, 0, '  and does not count as sent');
};

$h->stop;
done_testing;
