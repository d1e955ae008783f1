#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# A child's end: mod_watchdog does not wait for its thread, which ends within a tenth of a second or
# so.  What it has worked with must not be gone from under it, however long the child takes.

use strict;
use warnings;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Test::More;
use Mnet::Harness;
use Mnet::Joined;
use Mnet::PhpPeer;

my $missing = Mnet::PhpPeer->missing;
plan skip_all => $missing if $missing;
plan skip_all => 'there is no apxs' if !Mnet::Harness::apxs('INCLUDEDIR');

# A cleanup after ours takes half a second.
my $so = Mnet::Harness::build() . "/t/mod_mnet_slowend.$$.so";
mkdir Mnet::Harness::build() . '/t';
chomp(my $flags = '-I' . Mnet::Harness::apxs('INCLUDEDIR') . ' ' . qx(pkg-config --cflags apr-1 apr-util-1));
is(system("cc -std=gnu11 -fPIC -shared -D_GNU_SOURCE $flags -o $so $Bin/modules/mod_mnet_slowend.c"), 0, 'a module that is slow to end')
    or BAIL_OUT('it was not built');
END { unlink $so if $so }

my %section = (MnetPublish => 'pf', MnetSubscribe => 'pf');
my $t = Mnet::Joined->start(peers => { mahara => { style => 'mahara', section => \%section } },
    config => "LoadModule mnet_slowend_module $so\n",
    harness => { site_config => sub { return 'MnetPortfolioDir ' . $_[0]->root . "/portfolio\n" } });
my $h = $t->harness;
my $file = $h->mine('essay.txt', 'an essay ' x 100);

for my $round (1 .. 3) {
    # So that the watchdog's thread has begun something.
    my $got = $t->ctl(qw(portfolio send), $file, qw(--again --user alice --peer), $t->peer('mahara')->wwwroot,
        qw(--wait --patience 20s));
    is($got->{json}{state}, 'delivered', "$round: the queue works") or diag "$got->{out}$got->{err}";
    my @old = $h->children;
    $h->graceful;
    ok(Mnet::Harness::wait_for(sub { !grep { kill 0, $_ } @old }, 20), '  the children of before have ended');
    unlike($h->error_log, qr/AH0005[12]|exit signal/, '  and none crashed');
}
$h->stop;
done_testing;
