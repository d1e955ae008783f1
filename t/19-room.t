#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# `mnetctl doctor` says how much room is left: in the store, and on the file systems under it and
# under packages.

use strict;
use warnings;
use FindBin qw($Bin);
use lib "$Bin/lib";
use JSON::PP;
use Test::More;
use Mnet::Harness;

my $h = Mnet::Harness->new(config => "MnetStateSize 4m\n", site_config => sub {
    return 'MnetPortfolioDir ' . $_[0]->root . "/portfolio\n<MnetPeer http://peer.example>\n</MnetPeer>\n";
})->start;
my $site = $h->wwwroot(0);

# Its findings about room: what => [level, text, mend].
sub room {
    my ($out) = $h->mnetctl(qw(--json doctor))->{out};
    return { map { $_->{what} => [@$_{qw(level text mend)}] } grep { $_->{what} =~ /^room / } @{ JSON::PP->new->decode($out)->{checks} } };
}

subtest 'a server with room' => sub {
    my $room = room();
    is_deeply([sort keys %$room], ['room for portfolios', 'room for the state', 'room in the store'], 'three places');
    is($room->{'room in the store'}[0], 'ok', 'the store');
    like($room->{'room in the store'}[1], qr/^\d % of 3\.8M are in use/, '  how full it is of MnetStateSize');
    like($room->{"room for $_"}[1], qr/^\d\S* left on the file system of /, "  $_") for 'the state', 'portfolios';
    like($h->mnetctl('doctor')->{out}, qr/^(?:OK|WARN|FAIL) +room in the store: /m, 'people are told as well');
};

# statvfs, as a full disk would answer.
subtest 'a disk without room' => sub {
    plan skip_all => 'another library comes first under a sanitizer' if $ENV{MNET_ASAN};
    my $c = $h->mine('room.c', <<'C');
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
int statvfs(const char *dir, struct statvfs *fs)
{
    int (*real)(const char *, struct statvfs *) = dlsym(RTLD_NEXT, "statvfs");
    int rc = real(dir, fs);
    const char *where = getenv("ROOM_OF"), *bytes = getenv("ROOM"), *inodes = getenv("INODES");
    if (!where || !strstr(dir, where))
        return rc;
    if (bytes)
        fs->f_bavail = strtoull(bytes, NULL, 10) / fs->f_frsize;
    if (inodes)
        fs->f_files = 100000, fs->f_favail = strtoull(inodes, NULL, 10);
    return rc;
}
C
    my $so = $h->root . '/mine/room.so';
    my $said = qx(cc -shared -fPIC -o $so $c -ldl 2>&1);
    is($?, 0, 'a library that says so') or diag $said;
    local $ENV{LD_PRELOAD} = $so;
    for my $case (['/state', 100 << 20, undef, 'room for the state', 'warn', qr/^100M left/], ['/state', 0, undef, 'room for the state', 'fail', qr/^0\S* left/],
        ['/portfolio', 1 << 20, undef, 'room for portfolios', 'fail', qr/left on the file system/],
        ['/state', undef, 0, 'room for the state', 'fail', qr/^no inode left/], ['/portfolio', undef, 7, 'room for portfolios', 'warn', qr/^7 inodes left/]) {
        my ($where, $bytes, $inodes, $what, $level, $text) = @$case;
        local @ENV{qw(ROOM_OF ROOM INODES)} = ($where, $bytes, $inodes);
        delete $ENV{ROOM} if !defined $bytes;
        delete $ENV{INODES} if !defined $inodes;
        my $found = room();
        is($found->{$what}[0], $level, "$what: $level");
        like($found->{$what}[1], $text, '  ' . $found->{$what}[1]);
        ok($found->{$what}[2], '  with the mend');
        my ($other) = grep { $_ ne $what && /for/ } keys %$found;
        is($found->{$other}[0], 'ok', '  and no more than that');
    }
    local @ENV{qw(ROOM_OF ROOM)} = ('/state', 0);
    is($h->mnetctl('doctor')->{exit}, 1, 'a full disk is a failure');
};

subtest 'a store that fills' => sub {
    $h->expect_log(qr/MNET0203/);
    my $document = JSON::PP->new->decode($h->mnetctl('export')->{out});
    my $peer = $document->{sites}[0]{peers}[0];
    my (%seen, $room);
    for my $batch (1 .. 12) {
        $document->{sites}[0]{peers} = [map { { %$peer, wwwroot => "http://peer$_.batch$batch.example/" . 'x' x 200 } } 1 .. 600];
        $h->mnetctl('import', $h->mine('peers.json', JSON::PP->new->encode($document)));
        $room = room();
        $seen{ $room->{'room in the store'}[0] } ||= $room->{'room in the store'};
        last if $seen{fail};
    }
    ok($seen{ok}, 'at first there is room');
    like($seen{warn}[1], qr/^[89]\d % of/, 'then it warns') or diag explain $room;
    like($seen{fail}[1], qr/^(?:9\d|100) % of/, 'then it is full') or diag explain $room;
    like($seen{$_}[2], qr/MnetStateSize/, "  $_: what to raise") for qw(warn fail);
};
$h->stop;
done_testing;
