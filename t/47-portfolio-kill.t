#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# SIGKILL at random moments through many transfers between sites of ours: to processes that send, that
# receive, to whole servers and to mnetctl.  What was accepted arrives once and whole, or waits in a
# queue for all to see; never twice, never half.

use strict;
use warnings;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Digest::SHA qw(sha1_hex);
use File::Find ();
use JSON::PP;
use POSIX qw(WNOHANG);
use Test::More;
use Time::HiRes qw(sleep time);
use Mnet::Browser;
use Mnet::Harness;
use Mnet::Network;

my $TRANSFERS = $ENV{MNET_TEST_WHOLE} ? 200 : 50;
my $RECEIVERS = 6; # the queue is polite: two transfers at once to each
my $BOUND = 75;    # seconds in all
my $seed = $ENV{MNET_TEST_SEED} // time ^ $$;
srand $seed;
note "seed $seed";

my $MODULES = [qw(alias auth_basic authn_file authz_user authz_host)];
my ($a, $b);

sub section {
    my ($wwwroot, $application) = @_;
    return "<MnetPeer \"$wwwroot\">\nMnetPeerApplication $application\nMnetPublish sso_idp sso_sp pf\n"
        . "MnetSubscribe sso_idp sso_sp pf\n</MnetPeer>\n";
}

my $common = "MnetTimeout 5s\nMnetPortfolioInterval 1s\nMnetFailureLimit 0\n";
$b = Mnet::Harness->new(sites => $RECEIVERS, modules => $MODULES, log_level => 'info', config => $common);
$a = Mnet::Harness->new(sites => 1, modules => $MODULES, log_level => 'info',
    config => sub { return $common . join '', map { section($b->wwwroot($_), 'mahara') } 0 .. $RECEIVERS - 1 },
    site_config => sub { return 'MnetPortfolioDir ' . $_[0]->root . "/portfolio\n" . Mnet::Network::identity_provider($_[0]) });
$b->configure(config => $common . section($a->wwwroot(0), 'moodle'),
    site_config => sub { return "MnetApplication mahara\nMnetPortfolioDir " . $_[0]->root . "/portfolio$_[1]\n" });
Mnet::Network::configure_users({ harness => $a });
$_->expect_log(qr/AH00052|MNET\d{4}|AH0?\d+/) for $a, $b;
$_->start for $a, $b;
for my $i (0 .. $RECEIVERS - 1) {
    for my $join ([$a, $a->wwwroot(0), $b->wwwroot($i)], [$b, $b->wwwroot($i), $a->wwwroot(0)]) {
        my $got = $join->[0]->mnetctl('-w', $join->[1], qw(peers confirm --yes), $join->[2]);
        die "not joined: $got->{out}$got->{err}" if $got->{exit};
    }
    my $browser = Mnet::Browser->new(user => 'alice:secret', realm => $a->wwwroot(0));
    $browser->follow($a->wwwroot(0) . '/auth/mnet/jump.php?hostwwwroot=' . $b->wwwroot($i) . '&wantsurl=/');
}

mkdir $a->root . '/mine';
my (%want, %running, %acked, $begun, $killed);

sub content {
    my ($i) = @_;
    my $size = (300, 5_000, 80_000, 1_500_000)[rand 4];
    my $block = join '', map { chr int rand 256 } 1 .. 300;
    return "transfer $i\n" . $block x ($size / 300);
}

# mnetctl in the background; what it prints is its word.
sub begin {
    my ($i) = @_;
    my $text = content($i);
    my ($file, $out) = map { $a->root . "/mine/$i.$_" } qw(bin out);
    Mnet::Harness::write_file($file, $text);
    $want{ sha1_hex($text) } = $i;
    my @how = rand() < 0.5 ? '--wait' : ();
    push @how, '--direct' if rand() < 0.25;
    my $pid = $a->spawn($out, "$out.err", Mnet::Harness::build() . '/mnetctl', '-d', $a->state_dir, '--json',
        qw(portfolio send), $file, qw(--user alice --patience 1s --peer), $b->wwwroot(int rand $RECEIVERS), @how);
    $running{$pid} = { sha1 => sha1_hex($text), out => $out, i => $i };
    return;
}

sub reap {
    for my $pid (keys %running) {
        next if waitpid($pid, WNOHANG) == 0;
        my $one = delete $running{$pid};
        # Accepted: it said so, or (with --wait) that it is on its way.
        $acked{ $one->{sha1} } = $one->{i} if Mnet::Harness::slurp($one->{out}) =~ /"state" : "|"state": "|still on its way|was not delivered/;
    }
    return;
}

sub kill_something {
    my $dice = rand;
    if ($dice < 0.08) {
        my $h = rand() < 0.5 ? $a : $b;
        $h->kill9;
        $h->start;
    } elsif ($dice < 0.2 && %running) {
        kill 'KILL', (keys %running)[0];
    } else {
        my $h = rand() < 0.5 ? $a : $b;
        my @children = $h->children;
        kill 'KILL', $children[rand @children] if @children;
    }
    $killed++;
    return;
}

my $start = time;
my $next = time + 0.3;
for (my $i = 0; $i < $TRANSFERS || %running;) {
    if ($i < $TRANSFERS && keys %running < 6) {
        begin($i++);
    }
    reap();
    if (time > $next) {
        kill_something();
        $next = time + 0.1 + rand 0.5;
    }
    sleep 0.02;
    last if time - $start > $BOUND;
}
note sprintf '%d transfers, %d accepted, %d kills, %.1f s', $TRANSFERS, scalar keys %acked, $killed, time - $start;

sub items {
    my ($h) = @_;
    my $got = $h->mnetctl(qw(--json queue list --max 10000));
    my $json = eval { decode_json($got->{out}) } or die "queue list: $got->{out}$got->{err}";
    return map { my $site = $_; map { +{ %$_, site => $site->{wwwroot} } } @{ $site->{items} } } @{ $json->{sites} };
}

# Nobody is killed any more: what failed is tried again at once.
my $until = time + 40;
my (@left, @mine, @theirs);
while (time < $until) {
    (@mine, @theirs) = ();
    @mine = items($a);
    @theirs = items($b);
    @left = grep { $_->{state} ne 'parked' && $_->{kind} ne 'offered' } @mine, @theirs;
    # One that was offered and is not fetched yet is waited for, too, as long as somebody has it to fetch.
    push @left, grep { $_->{kind} eq 'offered' } @mine if grep { $_->{state} ne 'parked' } @theirs;
    last if !@left;
    for my $item (grep { $_->{state} eq 'waiting' && $_->{kind} ne 'offered' } @left) {
        ((grep { $_ == $item } @mine) ? $a : $b)->mnetctl('-w', $item->{site}, qw(queue retry), $item->{id});
    }
    sleep 0.5;
}
my %state = map { $_->{content} => $_ } map { @{ $_->{sent} } } @{ decode_json($a->mnetctl(qw(--json portfolio list --max 10000))->{out})->{sites} };
my %arrived;
File::Find::find({ no_chdir => 1, wanted => sub {
    return if !-f || m{/\.work/} || /mnet-report\.json$/ || m{/outgoing/};
    push @{ $arrived{ sha1_hex(Mnet::Harness::slurp($_)) } }, $_;
} }, grep { -d } map { $b->root . "/portfolio$_" } 0 .. $RECEIVERS - 1);

is(scalar(grep { !exists $want{$_} } keys %arrived), 0, 'nothing arrived that is not whole')
    or diag explain [map { @{ $arrived{$_} } } grep { !exists $want{$_} } keys %arrived];
my @twice = grep { @{ $arrived{$_} } > 1 } keys %arrived;
is(scalar @twice, 0, 'nothing arrived twice') or diag explain [@arrived{@twice}];
my @lost = grep { my $sha1 = $_; !$arrived{$sha1} && !($state{$sha1} && $state{$sha1}{state} =~ /^(?:queued|offered)$/) } keys %acked;
my @parked = grep { $_->{state} eq 'parked' } @mine, @theirs;
my @excused = grep { my $sha1 = $_; grep { ($_->{title} // '') =~ /^\Q$want{$sha1}\E\.bin/ } @parked } @lost;
is(scalar(@lost) - scalar(@excused), 0, 'nothing that was accepted is lost') or do {
    diag "transfer $want{$_}: ", explain $state{$_} for @lost;
    diag $_->error_log for $a, $b;
};
is(scalar(grep { !$state{$_} } keys %acked), 0, 'all that was accepted is on record');
is(scalar @left, 0, 'the queues come to an end') or diag explain \@left;
cmp_ok(scalar(keys %arrived), '>=', 0.5 * keys %acked, 'most of it arrived');
note sprintf '%d arrived, %d parked or still queued', scalar keys %arrived, scalar(@parked) + grep { $_->{kind} eq 'offered' } @mine;
note "  $_->{site} $_->{kind} $_->{title}: $_->{reason}" for @parked;
$_->halt for $a, $b;
done_testing;
