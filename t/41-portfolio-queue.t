#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# The queue: what fails is tried again, ever later, then parked; no peer stands in another's way;
# mnetctl shows it and has a say; and it outlives restarts and kills.

use strict;
use warnings;
use FindBin qw($Bin);
use lib "$Bin/lib";
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);
use Mnet::Sender;

my $t = Mnet::Sender->start(config => "MnetTimeout 4s\n", portfolio => "MnetPortfolioInterval 1s\n",
    peers => { moodle => {}, other => { style => 'moodle' } });
my $h = $t->harness;
$h->expect_log(map { qr/MNET$_/ } 1002, 1005, 1006, 1010);
$t->land($_, 'alice') for qw(moodle other);
my $url = { map { $_ => $t->peer($_)->wwwroot } qw(moodle other) };

sub of { my ($name) = @_; return grep { $_->{peer} eq $url->{$name} } $t->items }

# Sends something that stays in the queue; its item.
sub stuck {
    my ($name, $lie, %o) = @_;
    my %before = map { $_->{id} => 1 } $t->items;
    my $got = $t->send($name, { "stuck-$name.txt" => $lie }, lie => $lie, wait => '0', %o);
    is($got->{result}{type}, 'queued', "$name is queued ($lie)") or diag explain $got;
    my ($item) = grep { !$before{ $_->{id} } } $t->items;
    return $item;
}

subtest 'tried again, ever later' => sub {
    my $item = stuck('moodle', 'fault:8013');
    my $seen = $t->wait_item(sub { $_[0]{id} eq $item->{id} && $_[0]{attempts} >= 2 });
    ok($seen, 'a second attempt') or diag explain [$t->items];
    like($seen->{reason}, qr/fault 8013/, '  and why the first one failed');
    ok($h->wait_log(qr/MNET1006.*\Q$item->{id}\E.*8013/), '  which a line says as well');
    my $show = $t->ctl('queue', 'show', substr $item->{id}, 0, 16);
    is($show->{exit}, 0, 'mnetctl queue show');
    is($show->{json}{reason}, $seen->{reason}, '  has the reason');
    is($show->{json}{user}, 'alice', '  and the user');
    my $text = $h->mnetctl('queue', 'list');
    like($text->{out}, qr/fetch +(?:waiting|running) +\Q$url->{moodle}\E +alice/, 'the list for people');
    $t->peer('moodle')->forget_requests;
    unlink glob $t->peer('moodle')->dir . '/files/*.lie';
    ok($t->wait_idle(30), 'once the peer is well it arrives');
    is(scalar(grep { exists $_->{'stuck-moodle.txt'} } values %{ $t->arrived }), 1, '  once');
    is($t->peer('moodle')->heard('portfolio/mahara/lib.php/fetch_file'), 1, '  by one more call');
};

subtest 'nobody stands in the way' => sub {
    stuck('other', 'sleep:30') for 1 .. 6;
    ok($t->wait_for(sub { (grep { $_->{state} eq 'running' } of('other')) >= 2 }), 'a peer that hangs is called');
    cmp_ok(scalar(grep { $_->{state} eq 'running' } of('other')), '<=', 2, '  but twice at once at most');
    my $started = time;
    is($t->send('moodle', { 'swift.txt' => 'swift' })->{result}{type}, 'complete', 'another peer is served at once');
    cmp_ok(time - $started, '<', 3, '  without a wait');
    my $got = $t->send('moodle', { 'queued.txt' => 'queued' }, wait => '0');
    ok($t->wait_for(sub { grep { exists $_->{'queued.txt'} } values %{ $t->arrived } }, 6), '  by the queue as well');
    is(scalar(of('other')), 6, 'while the six wait');
};

subtest 'drop' => sub {
    my @ids = map { $_->{id} } of('other');
    is($t->ctl('queue', 'drop', 'zz')->{exit}, 2, 'no id');
    is($t->ctl('queue', 'drop')->{exit}, 2, 'nothing said');
    is($t->ctl('queue', 'drop', '0' x 32)->{exit}, 1, 'no such item');
    is($t->ctl('queue', 'drop', $ids[0])->{json}{dropped}, 1, 'one');
    ok(!(grep { $_->{id} eq $ids[0] } $t->items), '  is gone');
    is($t->ctl('queue', 'drop', '--peer', $url->{other})->{json}{dropped}, 5, 'all of a peer');
    is_deeply([$t->items], [], '  are gone');
    ok($t->wait_for(sub { !$t->debris }, 10), 'and so is what they left');
    is(scalar(grep { exists $_->{'stuck-other.txt'} } values %{ $t->arrived }), 0, 'nothing arrived');
    my $package = $t->package('moodle', { 'again.txt' => 'again' }, lie => 'fault:1');
    $t->ready('moodle', $package, wait => '0');
    my $item = $t->wait_item(sub { $_[0]{attempts} >= 1 });
    $t->ctl('queue', 'drop', $item->{id});
    $h->expect_log(qr/MNET1015/);
    is(($t->ready('moodle', $package)->{fault} || {})->{code}, 8009, 'and its token is worth nothing');
};

subtest 'a peer that is down' => sub {
    my $package = $t->package('other', { 'patient.txt' => 'patient' });
    my ($ready) = $t->ready('other', $package, wait => '0');
    $t->ctl('queue', 'drop', '--peer', $url->{other}) if !$ready;
    ok($t->wait_for(sub { grep { exists $_->{'patient.txt'} } values %{ $t->arrived } }), 'first it is up');
    $package = $t->package('other', { 'down.txt' => 'down' }, lie => 'fault:1');
    $t->ready('other', $package, wait => '0');
    $t->peer('other')->stop;
    my $item = $t->wait_item(sub { ($_[0]{reason} // '') =~ /nothing answers|closed the connection/ });
    ok($item, 'down: the reason says so') or diag explain [$t->items];
    unlink glob $t->peer('other')->dir . '/files/*.lie';
    $t->peer('other')->restart;
    is($t->ctl('queue', 'retry', $item->{id})->{exit}, 0, 'mnetctl queue retry');
    ok($t->wait_for(sub { grep { exists $_->{'down.txt'} } values %{ $t->arrived } }, 30), 'and it arrives when it is up')
        or diag explain [$t->items];
};

subtest 'parked' => sub {
    my $package = $t->package('moodle', { 'gone.txt' => 'gone' }, lie => 'fault:8009');
    my $got = $t->ready('moodle', $package);
    is(($got->{fault} || {})->{code}, 8014, 'the peer has nothing for its token: a fault') or diag explain $got;
    my ($item) = $t->items;
    is($item->{state}, 'parked', '  parked');
    like($item->{reason}, qr/8009/, '  with its reason');
    like($item->{reason}, qr/user has to export it there again/, '  and what helps');
    ok($h->wait_log(qr/MNET1005.*\Q$item->{id}\E/), '  and a line');
    is($t->ctl('queue', 'list', '--state', 'parked')->{json}{sites}[0]{found}, 1, 'list --state parked');
    is($t->ctl('queue', 'list', '--state', 'waiting')->{json}{sites}[0]{found}, 0, '  and no other');
    unlink glob $t->peer('moodle')->dir . '/files/*.lie';
    is($t->ctl('queue', 'retry', '--parked')->{json}{retried}, 1, 'tried again by hand');
    ok($t->wait_for(sub { grep { exists $_->{'gone.txt'} } values %{ $t->arrived } }), '  it arrives');
    ok($t->wait_idle, '  and is gone from the queue');
};

subtest 'what may have been given out' => sub {
    my $item = stuck('moodle', 'fault:8013');
    my ($lie) = glob $t->peer('moodle')->dir . '/files/*.lie';
    ok($t->wait_item(sub { $_[0]{id} eq $item->{id} && $_[0]{reason} && $_[0]{state} eq 'waiting' }), 'asked once');
    my ($work) = glob $t->folder . "/.work/*-$item->{id}";
    Mnet::Harness::write_file($lie, 'fault:8009');
    $t->ctl('queue', 'retry', $item->{id});
    my $seen = $t->wait_item(sub { $_[0]{id} eq $item->{id} && ($_[0]{reason} // '') =~ /8009/ && $_[0]{state} ne 'running' });
    is($seen && $seen->{state}, 'waiting', 'after an earlier attempt the peer has nothing for its token: tried again');
    mkdir "$work/received" or die "$work: $!"; # a disk that has it, and cannot read it
    unlink $lie;
    my $before = $t->peer('moodle')->heard('portfolio/mahara/lib.php/fetch_file');
    $t->ctl('queue', 'retry', $item->{id});
    $seen = $t->wait_item(sub { $_[0]{id} eq $item->{id} && ($_[0]{reason} // '') =~ /cannot be read/ && $_[0]{state} eq 'waiting' });
    ok($seen, 'what is here and cannot be read just now: tried again') or diag explain [$t->items];
    is($t->peer('moodle')->heard('portfolio/mahara/lib.php/fetch_file'), $before, '  and the peer, who gives it once, is not asked');
    rmdir "$work/received";
    $t->ctl('queue', 'retry', $item->{id});
    ok($t->wait_idle(30), 'it arrives in the end');
};

subtest 'what was given out and is lost' => sub {
    my $item = stuck('moodle', 'fault:8013');
    my ($lie) = glob $t->peer('moodle')->dir . '/files/*.lie';
    ok($t->wait_item(sub { $_[0]{id} eq $item->{id} && $_[0]{reason} && $_[0]{state} eq 'waiting' }), 'asked once');
    Mnet::Harness::write_file($lie, 'fault:8009');
    my $seen = $t->wait_item(sub { $_[0]{id} eq $item->{id} && $_[0]{state} eq 'parked' }, 40);
    ok($seen, 'a peer that gives it out no more is not asked for ever') or diag explain [$t->items];
    is($seen->{attempts}, 4, '  but four times');
    like($seen->{reason}, qr/user has to export it there again .*8009/, '  and the item says what helps');
    unlink $lie;
    is($t->ctl('queue', 'drop', $item->{id})->{exit}, 0, '  it is dropped');
};

subtest 'progress' => sub {
    my $body = join '', map { sprintf "%08d\n", $_ } 1 .. 60_000;
    my $pid = fork // die;
    if ($pid == 0) {
        $t->forked;
        $t->send('moodle', { 'slow.txt' => $body }, lie => 'slow:300000', wait => '0');
        POSIX::_exit(0);
    }
    waitpid $pid, 0;
    my %seen;
    $t->wait_for(sub {
        my ($item) = $t->items or return 1;
        my $show = $t->ctl('queue', 'show', $item->{id})->{json} || {};
        $seen{ $show->{progress}{done} } = $show->{progress}{total} if $show->{progress};
        return 0;
    }, 30);
    cmp_ok(scalar keys %seen, '>=', 2, 'of a long transfer can be seen') or diag explain \%seen;
    my ($most) = sort { $b <=> $a } keys %seen;
    cmp_ok($seen{$most} // 0, '>=', $most // 1, '  and how much there is in all');
    is(scalar(grep { ($_->{'slow.txt'} // '') eq $body } values %{ $t->arrived }), 1, 'it arrives whole');
};

subtest 'restarts and kills' => sub {
    stuck('moodle', 'sleep:2');
    $t->wait_item(sub { $_[0]{state} eq 'running' });
    my $started = time;
    $h->stop;
    cmp_ok(time - $started, '<', 6, 'a transfer does not keep the server from stopping');
    my ($item) = $t->items;
    ok($item, 'it is still to be done');
    $h->start;
    ok($t->wait_for(sub { grep { exists $_->{'stuck-moodle.txt'} && $_->{'stuck-moodle.txt'} eq 'sleep:2' } values %{ $t->arrived } }, 30),
        'and is done after the start') or diag explain [$t->items];
    stuck('moodle', 'sleep:3');
    $t->wait_item(sub { $_[0]{state} eq 'running' });
    $h->kill9;
    $h->start;
    ok($t->wait_for(sub { grep { exists $_->{'stuck-moodle.txt'} && $_->{'stuck-moodle.txt'} eq 'sleep:3' } values %{ $t->arrived } }, 30),
        'nor does a kill lose it') or diag explain [$t->items];
    ok($t->wait_idle(10), 'nothing is left to do');
    is(scalar(grep { ($_->{'stuck-moodle.txt'} // '') eq 'sleep:3' } values %{ $t->arrived }), 1, '  and it is there once');
    ok($t->wait_for(sub { !$t->debris }, 10), '  without debris');
};

$h->stop;
done_testing;
