#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# Two sites of ours, one sends and one receives: from mnetctl at one to the folder at the other.

use strict;
use warnings;
use utf8;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Digest::SHA qw(sha1_hex);
use Encode qw(encode_utf8);
use File::Find ();
use JSON::PP;
use Test::More;
use Mnet::Browser;
use Mnet::Network;

binmode Test::More->builder->$_, ':encoding(UTF-8)' for qw(output failure_output);

my $n = Mnet::Network->start(sites => 2, services => 'sso_idp sso_sp pf', config => "MnetPortfolioInterval 1s\n",
    site_config => sub {
        my ($net, $h, $i) = @_;
        return "MnetPortfolioDir " . $h->root . "/portfolio$i\n" . Mnet::Network::identity_provider($h)
            . "MnetApplication " . ($i ? 'mahara' : 'moodle') . "\n";
    }, peer_lines => sub { return $_[1] ? "MnetPeerApplication mahara\n" : "MnetPeerApplication moodle\n" });
my $h = $n->harness;
my ($from, $to) = map { $n->wwwroot($_) } 0, 1;
my $dir = $h->root . '/mine';

sub file { return $h->mine(@_) }

sub ctl {
    my ($i, @args) = @_;
    my $got = $h->mnetctl('--json', '-w', $n->wwwroot($i), @args);
    return { %$got, json => scalar eval { JSON::PP->new->utf8->decode($got->{out}) } };
}

sub send_it { return ctl(0, qw(portfolio send), @{ $_[0] }, qw(--user alice --peer), $to, @_[1 .. $#_]) }

# The SHA-1 of every file that arrived, by its path.
sub arrived {
    my %files;
    my $top = $h->root . '/portfolio1';
    File::Find::find({ no_chdir => 1, wanted => sub {
        return if !-f || m{/\.work/} || /mnet-report\.json$/ || m{/outgoing/};
        $files{ substr $_, 1 + length $top } = sha1_hex(Mnet::Harness::slurp($_));
    } }, $top) if -d $top;
    return \%files;
}

sub state_of {
    my ($id) = @_;
    my ($one) = grep { $_->{id} eq $id } @{ ctl(0, qw(portfolio list --max 1000))->{json}{sites}[0]{sent} };
    return $one->{state};
}

sub wait_state {
    my ($id, $state) = @_;
    Mnet::Harness::wait_for(sub { state_of($id) eq $state }, 20);
    is(state_of($id), $state, "  it is $state") or diag $h->error_log;
    return;
}

sub queue { return @{ ctl($_[0], qw(queue list))->{json}{sites}[0]{items} || [] } }

subtest 'somebody who was never there' => sub {
    my $got = send_it([file('early.txt', 'early')]);
    is($got->{exit}, 1, 'is sent nothing');
    my ($jump) = ($got->{json}{error}{message} // '') =~ m{(http://\S+jump\.php\S+)};
    ok($jump, '  but a link') or diag "$got->{out}$got->{err}";
    my $browser = Mnet::Browser->new(user => 'alice:secret', realm => $from);
    my $at = $browser->get($jump);
    $at = $browser->get($at->{location});
    like($at->{location}, qr{^\Q$from\E/$}, '  which takes them there and back');
};

subtest 'while the user waits' => sub {
    my $got = send_it([file('essay.txt', 'An essay.')], qw(--wait --patience 30s));
    is($got->{json}{state}, 'delivered', 'delivered') or diag "$got->{out}$got->{err}", $h->error_log;
    is_deeply([values %{ arrived() }], [sha1_hex('An essay.')], '  and there');
    like($got->{json}{continue}, qr{hostwwwroot=}, '  with a link to it');
    is(scalar queue($_), 0, "  nothing is left to do at $_") for 0, 1;
    my $before = arrived();
    open my $in, '<:raw', '/dev/urandom' or die $!;
    my $large;
    read $in, $large, 20_000_000;
    $got = send_it([file('film.mp4', $large)], qw(--wait --patience 30s));
    is($got->{json}{state}, 'delivered', 'twenty megabytes');
    is((grep { $_ eq sha1_hex($large) } values %{ arrived() }), 1, '  arrive whole');
};

subtest 'many files' => sub {
    my $before = keys %{ arrived() };
    mkdir "$dir/$_" for qw(leap leap/files);
    file('leap/leap2a.xml', '<feed xmlns="http://www.w3.org/2005/Atom" xmlns:leap2="http://terms.leapspecs.org/"><leap2:version>http://www.leapspecs.org/2010-07/2A/</leap2:version></feed>');
    file(encode_utf8('leap/files/漢字.txt'), 'attached');
    my $got = send_it(["$dir/leap"], qw(--wait --patience 30s));
    is($got->{json}{state}, 'delivered', 'LEAP2A') or diag $h->error_log;
    is(keys(%{ arrived() }), $before + 2, '  is there with its attachment');
    $got = send_it([file('one.html', '<p>1'), file('two.txt', '2')], qw(--wait --patience 30s));
    is($got->{json}{state}, 'delivered', 'several files') or diag $h->error_log;
    is(keys(%{ arrived() }), $before + 4, '  are there');
};

subtest 'in the background, and by a location' => sub {
    for my $way ([], ['--direct'], ['--direct', '--wait', '--patience', '20s']) {
        my $text = "by @$way";
        my $got = send_it([file('later.txt', $text)], @$way);
        is($got->{exit}, 0, "with (@$way)") or diag "$got->{out}$got->{err}", $h->error_log;
        my $id = $got->{json}{id};
        wait_state($id, 'delivered');
        is(Mnet::Harness::wait_for(sub { grep { $_ eq sha1_hex($text) } values %{ arrived() } }, 20), 1, '  it is there');
    }
    is(scalar queue($_), 0, "nothing is left to do at $_") for 0, 1;
};

$h->configure(config => $h->{config} . "MnetPortfolioMaxSize 100k\n");
$h->graceful;
subtest 'too much' => sub {
    my $before = keys %{ arrived() };
    $h->expect_log(qr/MNET1005/);
    my $got = send_it([file('much.mp4', join '', map { chr int rand 256 } 1 .. 200_000)], qw(--wait --patience 3s));
    is($got->{exit}, 1, 'what the other side does not take');
    like($got->{json}{error}{message}, qr/quota/, '  says so');
    is(keys(%{ arrived() }), $before, '  is not there');
    my ($item) = queue(0);
    is(ctl(0, qw(queue drop), $item->{id})->{exit}, 0, '  and waits for an administrator');
};

$h->stop;
done_testing;
