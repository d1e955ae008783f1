#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# A real Chromium clicks through sign-on: jump, land, the way back and logout, between two of our sites
# and with the peer in PHP as a Moodle.  Every page of ours is looked at as a person would who sees it on a
# telephone, in the dark, by the keyboard alone.  Screenshots are kept in build/screenshots.

use strict;
use warnings;
use utf8;
use FindBin qw($Bin);
use lib "$Bin/lib";
use File::Copy qw(copy);
use File::Path qw(make_path);
use JSON::PP;
use Test::More;
use Mnet::SignOn;

binmode Test::More->builder->$_, ':utf8' for qw(output failure_output todo_output);

sub found {
    my (@names) = @_;
    for my $name (@names) {
        my ($path) = grep { -x } map { "$_/$name" } split /:/, $ENV{PATH};
        return $path if $path;
    }
    return;
}

my $chromium = $ENV{MNET_TEST_CHROMIUM} || found(qw(chromium chromium-browser google-chrome));
my $node = found(qw(node nodejs));
plan skip_all => 'there is no chromium' if !$chromium;
plan skip_all => 'there is no node' if !$node;
my ($major) = (qx($node --version) // '') =~ /^v(\d+)/;
plan skip_all => 'node is older than 18' if ($major || 0) < 18;

# playwright-core, as t/browser/package-lock.json has it; installed once per lock file.
sub modules {
    my $dir = Mnet::Harness::build() . '/browser';
    my $lock = Mnet::Harness::slurp("$Bin/browser/package-lock.json");
    make_path($dir);
    if (Mnet::Harness::slurp("$dir/installed") ne $lock) {
        my $npm = found('npm') or return (undef, 'there is no npm');
        copy("$Bin/browser/$_", "$dir/$_") || die "$_: $!" for qw(package.json package-lock.json .npmrc);
        my $said = qx(cd '$dir' && $npm ci --ignore-scripts 2>&1);
        return (undef, "playwright-core could not be installed: " . (split /\n/, $said)[-1]) if $?;
        Mnet::Harness::write_file("$dir/installed", $lock);
    }
    return ("$dir/package.json", undef);
}

my ($modules, $why) = modules();
plan skip_all => $why if !$modules;

my $t = Mnet::SignOn->start(styles => ['moodle'], sites => 2, config => "MnetTimeout 5s\n", site => sub {
    my ($h, $i) = @_;
    my $other = $h->wwwroot(1 - $i);
    Mnet::Harness::write_file($h->htdocs($i) . '/index.html', "<!DOCTYPE html><title>Site $i</title><h1>Site $i</h1>\n");
    return "MnetSiteName \"@{[ $i ? 'Library of the north school' : 'Courses of the south school' ]}\"\n"
        . "<MnetPeer \"$other\">\nMnetPublish sso_idp sso_sp\nMnetSubscribe sso_idp sso_sp\n</MnetPeer>\n"
        . ($i ? '' : "<Location /mnet/hosts>\n" . Mnet::SignOn::basic($h) . "</Location>\n")
        # Where nobody sends headers, their names are fixed.
        . "<Location /auth/mnet/jump.php>\nMnetAttribute firstname Alice\nMnetAttribute lastname \"\xc3\x85ngstr\xc3\xb6m\"\n"
        . "</Location>\n";
});
my $h = $t->harness;
for my $i (0, 1) {
    my $got = $h->mnetctl('-w', $h->wwwroot($i), qw(peers confirm --yes), $h->wwwroot(1 - $i));
    is($got->{exit}, 0, 'the sites are joined') or diag $got->{out} . $got->{err};
    $t->peer('moodle')->learn($h->wwwroot($i), 'moodle');
}
$t->peer('moodle')->user('alice', firstname => 'Alice', lastname => 'Ōkami 漢字 😀', email => 'alice@example.org');

my $shots = Mnet::Harness::build() . '/screenshots';
make_path($shots);
unlink glob "$shots/*.png";
my $plan = $h->root . '/plan.json';
Mnet::Harness::write_file($plan, JSON::PP->new->canonical->encode({ chromium => $chromium, modules => $modules,
    screenshots => $shots, idp => $h->wwwroot(0), sp => $h->wwwroot(1), moodle => $t->peer('moodle')->wwwroot }));
# A browser leaves files in its user's home.
local $ENV{HOME} = $h->root;
my $pid = open(my $from, '-|') // die "fork: $!";
if (!$pid) {
    setpgrp 0, 0;
    exec $node, "$Bin/browser/walk.mjs", $plan or POSIX::_exit(127);
}
my $done;
local $SIG{ALRM} = sub { kill 'KILL', -$pid };
alarm 240;
while (my $line = <$from>) {
    my $said = eval { decode_json($line) } or do { diag $line; next };
    $done = 1 if $said->{done};
    ok($said->{ok}, $said->{name}) or diag $said->{why} if exists $said->{ok};
}
close $from;
alarm 0;
ok($done, 'the browser came to its end');
my @shots = glob "$shots/*.png";
cmp_ok(scalar @shots, '>=', 20, 'screenshots are in build/screenshots (' . @shots . ')');
done_testing;
