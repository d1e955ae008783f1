#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# More that means harm to a portfolio, or is merely odd: links in the folders that packages go to,
# locations that answer what was not asked for, and names of files that no package can keep.

use strict;
use warnings;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Digest::SHA qw(sha1_hex);
use Test::More;
use Mnet::Sender;

my $t = Mnet::Sender->start(config => "MnetTimeout 5s\n", portfolio => "MnetPortfolioInterval 1s\nMnetPortfolioMaxSize 8m\n",
    peers => { moodle => {}, mahara => { style => 'mahara' } });
my $h = $t->harness;
$h->expect_log(qr/MNET10(?:0[56]|10|13|4\d)/);
$t->land('moodle', 'alice');

sub fault { my ($got) = @_; return ($got->{fault} || {})->{code} // 0 }

# --- links ---------------------------------------------------------------------------------------

is($t->send('moodle', { 'first.txt' => 'first' })->{result}{type}, 'complete', 'a package arrives');
my ($home) = glob $t->folder . '/alice@*';
my $elsewhere = $h->root . '/elsewhere';
mkdir $elsewhere;
chown +(stat $t->folder)[4, 5], $elsewhere;

for my $case (['the folder of a route' => "$home/incoming"], ['the folder of a user' => $home], ['the folder of work' => $t->folder . '/.work']) {
    my ($what, $path) = @$case;
    subtest "a link instead of $what" => sub {
        ok($t->wait_for(sub { !$t->debris }, 10), 'nothing is under way');
        rename $path, "$path-away" or die "$path: $!";
        symlink $elsewhere, $path or die "$path: $!";
        my $text = "linked: $what";
        is($t->send('moodle', { 'linked.txt' => $text })->{result}{type}, 'queued', 'waits');
        ok($t->wait_item(sub { ($_[0]{reason} // '') =~ /is a link or a file|Not a directory/ }), '  for a folder') or diag explain [$t->items];
        is_deeply([glob "$elsewhere/*"], [], '  and nothing went where the link leads');
        unlink $path;
        rename "$path-away", $path or die "$path: $!";
        ok($t->wait_for(sub { grep { ($_->{'linked.txt'} // '') eq $text } values %{ $t->arrived } }), 'then it arrives') or diag explain [$t->items];
        ok($t->wait_idle, '  once') or diag explain [$t->items];
    };
}

# --- locations -----------------------------------------------------------------------------------

# The answer of content_ready for a package whose location lies, and how often that was asked.
sub located {
    my ($lie, %data) = @_;
    my $peer = $t->peer('moodle');
    my $id = $peer->call($t->site, 'portfolio/content_intent', ['alice'])->{result}{id};
    $t->put('moodle', $id, Mnet::Sender::zip({ 'a.txt' => join '', map { sha1_hex($_) } 1 .. 5000 }), $lie);
    $peer->forget_requests;
    my $got = $peer->call($t->site, 'portfolio/content_ready', [$id, $peer->wwwroot . '/package/x.zip', 1, %data ? \%data : ()]);
    my $asked = grep { ($_->{path} // '') eq '/package/x.zip' } $peer->requests;
    $t->ctl('queue', 'drop', '--all');
    return ($got, $asked);
}

subtest 'a Content-Encoding' => sub {
    my $before = keys %{ $t->arrived };
    my ($got) = located('gzip');
    is(fault($got), 8014, 'is refused') or diag explain $got;
    like(($got->{fault} || {})->{text} // '', qr/Content-Encoding gzip/, '  by name');
    is(scalar keys %{ $t->arrived }, $before, '  and is no package');
};

subtest 'what never ends' => sub {
    for my $lie (qw(wrong-range break-untagged status:416)) {
        my ($got, $asked) = located($lie);
        is(($got->{result} || {})->{type}, 'queued', "$lie: it is tried again later") or diag explain $got;
        cmp_ok($asked, '<=', 4, '  not at once, again and again');
    }
};

# --- sending -------------------------------------------------------------------------------------

sub sent {
    my ($path, @more) = @_;
    return $t->ctl(qw(portfolio send), $path, '--user', 'alice', '--peer', $t->peer('mahara')->wwwroot, @more);
}

subtest 'names that no package can keep' => sub {
    my $dir = $h->root . '/leap';
    mkdir $_ for $dir, "$dir/files";
    Mnet::Sender::write_bytes("$dir/leap2a.xml", '<feed xmlns="http://www.w3.org/2005/Atom" xmlns:leap2="http://terms.leapspecs.org/"/>');
    for my $case (['not UTF-8' => "latin\xe9.txt"], ['a backslash' => 'a\\b.txt'], ['an escape' => "\e[31m.txt"]) {
        my ($what, $name) = @$case;
        Mnet::Sender::write_bytes("$dir/files/$name", $what);
        my $got = sent($dir);
        is($got->{exit}, 2, "$what is refused") or diag $got->{out}, $got->{err};
        like($got->{out}, qr/has a name that no package can keep/, '  with a sentence');
        unlink "$dir/files/$name";
    }
    Mnet::Sender::write_bytes("$dir/files/\xe6\xbc\xa2\xe5\xad\x97.txt", 'kanji');
    is(sent($dir, qw(--wait --patience 30s))->{json}{state}, 'delivered', 'any script is sent');
    is_deeply([grep { !/^\./ } map { s{.*/}{}r } glob $t->folder . '/outgoing/.sending/*'], [], 'and nothing is left lying about');
};

$h->stop;
done_testing;
