#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# A Moodle sends packages here: announced, fetched at once or by the queue, delivered once; and the way
# of the first design, by a GET of a location.

use strict;
use warnings;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Digest::SHA qw(sha1_hex);
use POSIX ();
use Test::More;
use Mnet::Sender;

my $t = Mnet::Sender->start(config => "MnetTimeout 60s\n", portfolio => "MnetPortfolioInterval 1s\nMnetPortfolioMaxSize 2m\n",
    peers => { moodle => {}, other => { style => 'moodle' }, old => { style => 'moodle-old' } });
my $h = $t->harness;
$t->land('moodle', 'alice');
$t->land('moodle', 'bob');
$t->land('other', 'alice');
my $LIB = 'portfolio/mahara/lib.php';

sub fault { my ($got) = @_; return ($got->{fault} || {})->{code} // 0 }

# It takes longer than a user can wait; meanwhile, the rest of this.
$t->land('old', 'dora');
my $slow_says = $h->root . '/slow';
my $slow = fork // die "fork: $!";
if ($slow == 0) {
    my $started = time;
    my $got = $t->send('old', { 'slow.txt' => 'slow' }, user => 'dora', lie => 'sleep:45');
    Mnet::Sender::write_bytes($slow_says, (time - $started) . ' ' . ($got->{result}{type} // 'none'));
    POSIX::_exit(0);
}

subtest 'announced' => sub {
    my $got = $t->intent('moodle', 'alice');
    is_deeply([sort keys %{ $got->{result} }], [qw(sendtype token)], 'the answer has what a Moodle reads');
    is($got->{result}{sendtype}, 'immediate', '  it may be fetched at once');
    like($got->{result}{token}, qr/^[0-9a-f]{40}$/, '  a token that cannot be guessed');
    isnt($t->intent('moodle', 'alice')->{result}{token}, $got->{result}{token}, '  another one each time');
    is(fault($t->intent('moodle', 'carol')), 8011, 'not for a user who never landed here');
    $h->expect_log(qr/MNET1011/);
    is(fault($t->intent('other', 'bob')), 8011, '  nor for one of another peer');
};

subtest 'at once' => sub {
    my $got = $t->send('moodle', { 'essay.txt' => "An essay.\n" });
    is($got->{result}{type}, 'complete', 'complete') or diag explain $got;
    ok($got->{result}{status}, '  status is true');
    like($got->{result}{querystring}, qr/^\?folder=alice%40[^&]+&file=essay\.txt&$/, '  a querystring as of a Mahara');
    my $arrived = $t->arrived;
    is(scalar keys %$arrived, 1, 'one package');
    my ($where) = keys %$arrived;
    like($where, qr{^alice@[^/]+/incoming/}, '  in the user\'s folder');
    is_deeply($arrived->{$where}, { 'essay.txt' => "An essay.\n" }, '  with its file');
    is_deeply([grep { $_->{user} ne 'dora' } $t->items], [], 'nothing is left to do');
};

subtest 'formats, names and shapes' => sub {
    my %files = map { ("file-$_.txt" => "number $_\n") } 1 .. 5;
    my $got = $t->send('moodle', \%files);
    is($got->{result}{type}, 'complete', 'several files');
    my ($where) = grep { exists $t->arrived->{$_}{'file-3.txt'} } keys %{ $t->arrived };
    is_deeply($t->arrived->{$where}, \%files, '  all of them');
    my $leap = { 'leap2a.xml' => qq(<?xml version="1.0"?>\n<feed xmlns="http://www.w3.org/2005/Atom" )
            . qq(xmlns:leap2="http://terms.leapspecs.org/"><title>Mine</title><id>x</id><updated>2026-01-01T00:00:00Z</updated></feed>\n),
        'files/a.txt' => 'attached' };
    $got = $t->send('moodle', $leap, format => 'leap2a');
    is($got->{result}{type}, 'complete', 'LEAP2A') or diag explain $got->{fault};
    $got = $t->send('moodle', { 'two words.txt' => 'x' });
    like($got->{result}{querystring}, qr/file=two(\+|%20)words\.txt&$/, 'a name with a space is fit for a query');
    $got = $t->send('moodle', { "\xe5\xb1\xb1" x 60 . '.txt' => 'x' }); # a character that takes three bytes
    like($got->{result}{querystring}, qr/^\?package=\w{32}&$/, 'names too long for the column in which Moodle keeps it are left out');
    my $package = $t->package('moodle', { 'int.txt' => 'sizes' });
    $package->{data}{$_} += 0 for qw(zipfilesize totalsize);
    $_->{size} += 0 for values %{ $package->{data}{filesmanifest} };
    is($t->ready('moodle', $package, wait => JSON::PP::true)->{result}{type}, 'complete', 'sizes as numbers, fetchnow as a boolean');
    $package = $t->package('old', {}, user => 'alice');
    is(fault($package->{answer}), 8011, 'nobody of the third peer is here');
    my $big = join '', map { sha1_hex($_) } 1 .. 30_000;
    $got = $t->send('moodle', { 'big.txt' => $big });
    is($got->{result}{type}, 'complete', 'more than a spool holds in memory') or diag explain $got->{fault};
    ok((grep { ($_->{'big.txt'} // '') eq $big } values %{ $t->arrived }), '  whole');
};

subtest 'by the queue' => sub {
    my $before = keys %{ $t->arrived };
    my $got = $t->send('moodle', { 'later.txt' => 'later' }, wait => '0');
    is($got->{result}{type}, 'queued', 'queued, as the user does not wait');
    ok(!exists $got->{result}{querystring}, '  without a querystring');
    is(scalar keys %{ $t->wait_arrived($before + 1) }, $before + 1, 'it is fetched soon');
    ok($t->wait_for(sub { !grep { $_->{user} ne 'dora' } $t->items }), 'and nothing is left to do');
    for my $no ('', '0', 0, JSON::PP::false) {
        my $package = $t->package('moodle', { 'no.txt' => "no $no" });
        is($t->ready('moodle', $package, wait => $no)->{result}{type}, 'queued', 'no, as PHP has it');
    }
    ok($t->wait_for(sub { !grep { $_->{user} ne 'dora' } $t->items }), 'all are fetched');
};

subtest 'ready, said again' => sub {
    my $package = $t->package('moodle', { 'once.txt' => 'once' });
    my $first = $t->ready('moodle', $package)->{result};
    my $count = keys %{ $t->arrived };
    my $again = $t->ready('moodle', $package)->{result};
    is_deeply($again, $first, 'the same answer');
    is(scalar keys %{ $t->arrived }, $count, '  and no second copy');
    $h->expect_log(qr/MNET1015/);
    is(fault($t->ready('moodle', $package, data => { zipfilesha1 => '0' x 40 })), 8009, 'but not of another package');
    $package = $t->package('moodle', { 'once.txt' => 'once' });
    $t->ready('moodle', $package);
    is(scalar keys %{ $t->arrived }, $count + 1, 'the same content announced again is a second copy');
};

# --- by a location -------------------------------------------------------------------------------

sub announce {
    my ($name, $user) = @_;
    return $t->peer($name)->call($t->site, 'portfolio/content_intent', [{ username => $user, firstname => 'A' }]);
}

sub location {
    my ($name, $rest) = @_;
    return $t->peer($name)->wwwroot . $rest;
}

# What the peer has at files/TOKEN it gives at /package/NAME to whoever says id=TOKEN.
sub said {
    my ($id, $location, $wait, $data) = @_;
    return $t->peer('moodle')->call($t->site, 'portfolio/content_ready', [$id, $location, $wait // 1, $data // {}]);
}

subtest 'the first design' => sub {
    my $intent = announce('moodle', 'alice')->{result};
    is($intent->{type}, 'queandwait', 'queue and wait');
    like($intent->{id}, qr/^[0-9a-f]{40}$/, '  and an id');
    my %files = ('direct.txt' => 'by GET');
    my $zip = Mnet::Sender::zip(\%files);
    $t->put('moodle', $intent->{id}, $zip);
    my $before = keys %{ $t->arrived };
    my $got = said($intent->{id}, location('moodle', '/package/it.zip'));
    is($got->{result}{type}, 'complete', 'got at once') or diag explain $got->{fault};
    is(scalar keys %{ $t->arrived }, $before + 1, '  one more package');
    is_deeply([grep { exists $_->{'direct.txt'} } values %{ $t->arrived }], [\%files], '  with its file');
    my ($request) = grep { $_->{path} eq '/package/it.zip' } $t->peer('moodle')->requests;
    is($request->{http}, 'GET', '  by a GET');
    like($request->{query}, qr/(?:^|&)id=\Q$intent->{id}\E(?:&|$)/, '  that carries the id');
};

subtest 'a connection that breaks' => sub {
    my $intent = announce('moodle', 'alice')->{result};
    my $body = join '', map { sha1_hex("resume $_") } 1 .. 20_000;
    $t->put('moodle', $intent->{id}, Mnet::Sender::zip({ 'resumed.txt' => $body }), 'break');
    my $got = said($intent->{id}, location('moodle', '/package/resumed.zip'));
    is($got->{result}{type}, 'complete', 'complete all the same') or diag explain $got->{fault};
    ok((grep { ($_->{'resumed.txt'} // '') eq $body } values %{ $t->arrived }), '  and whole');
    my @ranges = map { $_->{headers}{range} // '' } grep { $_->{path} eq '/package/resumed.zip' } $t->peer('moodle')->requests;
    cmp_ok(scalar @ranges, '>', 1, 'it took more than one connection');
    like($ranges[1], qr/^bytes=[1-9]\d*-$/, '  the second of which began where the first one broke');
    $intent = announce('moodle', 'alice')->{result};
    $t->put('moodle', $intent->{id}, Mnet::Sender::zip({ 'changed.txt' => $body }), 'break-changed');
    $got = said($intent->{id}, location('moodle', '/package/changed.zip'));
    is($got->{result}{type}, 'complete', 'another file at the second look') or diag explain $got->{fault};
    my ($changed) = grep { defined } map { $_->{'changed.txt'} } values %{ $t->arrived };
    is($changed, $body, '  is got from its beginning');
};

subtest 'nowhere but at the peer' => sub {
    $h->expect_log(qr/MNET1014/, qr/MNET1006/, qr/MNET1005/);
    my $intent = announce('moodle', 'alice')->{result};
    my $root = $t->peer('moodle')->wwwroot;
    my ($port) = $root =~ /:(\d+)$/;
    for my $location ('http://127.0.0.1:1/x', 'http://localhost:' . $port . '/x', 'file:///etc/passwd', "$root\@evil.example/x",
        "$root.evil.example/x", "${root}x/", $t->peer('other')->wwwroot . '/x', "$root/../x", "$root/a/%2e%2E/x", "$root/a%2f..%2fx",
        "$root/\\x", "$root/x y", "$root/x#y", '//evil/x', '', "$root/" . 'x' x 3000, 'gopher://127.0.0.1/x') {
        is(fault(said($intent->{id}, $location)), 8013, substr("refused: $location", 0, 60));
    }
    is(scalar(grep { $_->{path} =~ m{^/x} } map { $t->peer($_)->requests } qw(moodle other)), 0, 'nobody was asked');
    $t->put('moodle', $intent->{id}, 'x', 'redirect');
    my $got = said($intent->{id}, "$root/package/away.zip");
    is($got->{result}{type}, 'queued', 'a redirect') or diag explain $got;
    my $item = $t->wait_item(sub { ($_[0]{reason} // '') =~ /redirect/ });
    ok($item, '  is not followed') or diag explain [$t->items];
    is(scalar(grep { $_->{path} =~ m{/elsewhere} } map { $t->peer($_)->requests } qw(moodle other)), 0, '  nobody was asked');
    $t->ctl('queue', 'drop', $item->{id});
};

subtest 'a slow sender does not keep its user' => sub {
    waitpid $slow, 0;
    my ($seconds, $type) = split ' ', Mnet::Harness::slurp($slow_says);
    is($type, 'queued', 'queued');
    cmp_ok($seconds, '>=', 39, '  after 40 seconds');
    cmp_ok($seconds, '<=', 45, '  before a Moodle gives up');
    ok($t->wait_for(sub { grep { exists $_->{'slow.txt'} } values %{ $t->arrived } }), 'and the fetch goes on');
    ok($t->wait_idle, 'nothing is left to do');
};

subtest 'what may be' => sub {
    for my $case (['queue', 'queue', 'queonly'], ['none', 'none', 'no']) {
        my ($accept, $sendtype, $type) = @$case;
        my $config = Mnet::Harness::slurp($h->conf_file);
        $config =~ s/^MnetPortfolioAccept .*\n//mg;
        $config =~ s/^(MnetPortfolioDir )/MnetPortfolioAccept $accept\n$1/m;
        Mnet::Harness::write_file($h->conf_file, $config);
        $h->graceful;
        my $got = $t->intent('moodle', 'alice')->{result};
        is($got->{sendtype}, $sendtype, "$accept: $sendtype");
        is(announce('moodle', 'alice')->{result}{type}, $type, "  $type");
        is($got->{token} eq '', $accept eq 'none' ? 1 : '', '  with a token, or without one');
        next if $accept eq 'none';
        my $package = $t->package('moodle', { 'q.txt' => 'q' });
        is($t->ready('moodle', $package)->{result}{type}, 'queued', '  although the user waits');
        ok($t->wait_idle, '  and it is fetched');
    }
};

subtest 'expired' => sub {
    my $config = Mnet::Harness::slurp($h->conf_file);
    $config =~ s/^MnetPortfolioAccept .*\n/MnetPortfolioExpire 1s\n/mg;
    Mnet::Harness::write_file($h->conf_file, $config);
    $h->graceful;
    my $package = $t->package('moodle', { 'late.txt' => 'late' });
    $t->wait_for(sub { fault($t->ready('moodle', $package)) == 8009 }, 20);
    is(fault($t->ready('moodle', $package)), 8009, 'an intent that nobody finished is forgotten');
    is_deeply([$t->items], [], 'nothing is to be done for it');
};

$h->stop;
is_deeply([$t->debris], [], 'nothing lies about');
done_testing;
