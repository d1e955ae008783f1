#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# Packages and senders that mean harm, and disks that fail: a clear fault, a clear line, no debris, and
# the queue goes on.

use strict;
use warnings;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Digest::SHA qw(sha1_hex);
use Test::More;
use Time::HiRes qw(sleep time);
use Mnet::Sender;

my $t = Mnet::Sender->start(config => "MnetTimeout 3s\n", portfolio => "MnetPortfolioInterval 1s\nMnetPortfolioMaxSize 8m\n",
    peers => { moodle => {}, other => { style => 'moodle' } });
my $h = $t->harness;
$h->expect_log(map { qr/$_/ } qw(MNET10[01]\d MNET104\d));
$t->land('moodle', $_) for qw(alice bob);
$t->land('other', 'alice');

sub fault { my ($got) = @_; return ($got->{fault} || {})->{code} // 0 }

# After whatever was sent: a good package goes through, the rest is as it was.
my $good = 0;
sub goes_on {
    my $name = 'good-' . ++$good . '.txt';
    is($t->send('moodle', { $name => "good $good" })->{result}{type}, 'complete', '  a good package goes through');
    $t->ctl('queue', 'drop', '--all');
    ok($t->wait_for(sub { !$t->debris }, 10), '  no debris') or diag explain [$t->debris];
    is(scalar keys %{ $t->arrived }, $good, '  and nothing else arrived') or diag explain [keys %{ $t->arrived }];
    return;
}

# Refused: with a fault of that code, a sentence, and a line with the same sentence.
sub refused {
    my ($what, $files, $says, %o) = @_;
    subtest $what => sub {
        $t->mark;
        my $code = delete $o{code} // 8014;
        my $package = $t->package('moodle', $files, %o);
        my $got = $t->ready('moodle', $package);
        is(fault($got), $code, "fault $code") or diag explain $got->{result};
        like(($got->{fault} || {})->{text} // '', $says, '  that says why') or diag explain $got->{fault};
        ok((grep { $_ =~ $says } $t->lines), '  and so does the log') or diag join '', $t->lines;
        goes_on();
    };
    return;
}

# --- tokens and words ----------------------------------------------------------------------------

subtest 'tokens' => sub {
    my $package = $t->package('moodle', { 'a.txt' => 'a' });
    is(fault($t->ready('moodle', $package, token => '0' x 40)), 8009, 'one that nobody was given');
    is(fault($t->ready('moodle', $package, token => '')), 8009, 'none');
    is(fault($t->ready('moodle', $package, token => 'x' x 5000)), 8009, 'far too long a one');
    is(fault($t->ready('moodle', $package, user => 'bob')), 8009, 'of another user');
    is(fault($t->ready('moodle', $package, user => 'nobody')), 8011, 'of nobody');
    is(fault($t->ready('other', $package)), 8009, 'of another peer');
    my @texts = map { ($_->{fault} || {})->{text} =~ s/http\S+//r } $t->ready('other', $package), $t->ready('moodle', $package, token => '1' x 40);
    is($texts[0], $texts[1], '  which is told what it would be told of none');
    is($t->ready('moodle', $package)->{result}{type}, 'complete', 'its own is good still');
    $good++;
};

subtest 'what ready says' => sub {
    my $package = $t->package('moodle', { 'a.txt' => 'a' });
    my $sha1 = sha1_hex('a');
    for my $case (['no manifest', { filesmanifest => undef }, qr/manifest/], ['an empty one', { filesmanifest => {} }, qr/manifest/],
        ['a file without a digest', { filesmanifest => { x => { filename => 'a', size => 1 } } }, qr/sha1/],
        ['a size that is none', { filesmanifest => { x => { filename => 'a', sha1 => $sha1, size => 'big' } } }, qr/size/],
        ['no digest', { zipfilesha1 => undef }, qr/zipfile sha1/], ['no digest, really', { zipfilesha1 => 'x' x 40 }, qr/zipfile sha1/],
        ['no total', { totalsize => undef }, qr/totalsize/], ['a negative total', { totalsize => -1 }, qr/number/],
        ['too large', { totalsize => 9_000_000 }, qr/quota/], ['too large a zip', { zipfilesize => '9999999999999' }, qr/quota/]) {
        my ($what, $data, $says) = @$case;
        my $got = $t->ready('moodle', $package, data => $data);
        is(fault($got), 8013, $what) or diag explain $got;
        like($got->{fault}{text}, $says, '  says so');
    }
    is(fault($t->ready('moodle', $package, format => '')), 8013, 'no format');
    my $got = $t->peer('moodle')->call($t->site, 'portfolio/mahara/lib.php/send_content_ready', [$package->{token}, 'alice', 'file', 'x', 1]);
    is(fault($got), 8013, 'import data that is a text');
    is_deeply([$t->items], [], 'nothing of it was taken');
    is($t->ready('moodle', $package)->{result}{type}, 'complete', 'said well it is');
    $good++;
};

# --- what comes is not what was said -------------------------------------------------------------

refused('another digest', { 'a.txt' => 'a' }, qr/SHA-1/, lie => 'digest');
refused('half of it', { 'a.txt' => 'a' x 1000 }, qr/bytes came/, lie => 'truncated');
refused('nothing', { 'a.txt' => 'a' }, qr/bytes came/, lie => 'empty');
refused('no base64', { 'a.txt' => 'a' }, qr/base64/, lie => 'junk');
refused('more than announced', { 'a.txt' => 'a' }, qr/larger|bytes came/, lie => 'larger:5000000');
refused('a size that lies', { 'a.txt' => 'a' }, qr/larger|bytes came/, data => { zipfilesize => '5' });
refused('a total that lies', { 'a.txt' => 'a' x 1000 }, qr/total|more|larger|announced/i, data => { totalsize => 3 });
refused('another file than in the manifest', { 'a.txt' => 'a' }, qr/manifest|sha|announced/i,
    data => { filesmanifest => { x => { filename => 'a.txt', sha1 => sha1_hex('b'), size => 1 } } });

subtest 'a sender that stalls at 99 %' => sub {
    $t->mark;
    my $started = time;
    my $got = $t->send('moodle', { 'a.txt' => join '', map { sha1_hex($_) } 1 .. 5000 }, lie => 'stall:20');
    is($got->{result}{type}, 'queued', 'is tried again later') or diag explain $got;
    cmp_ok(time - $started, '<', 12, '  after MnetTimeout');
    ok($h->wait_log(qr/MNET1006.*did not answer within/), '  and a line says why');
    goes_on();
};

# --- packages ------------------------------------------------------------------------------------

refused('../../etc/passwd', { '../../etc/passwd' => "root\n" }, qr/out of|\.\.|lead/);
refused('/etc/passwd', { '/etc/passwd' => "root\n" }, qr/absolute|out of|lead/);
ok(!-e $t->folder . '/../../etc/passwd' && !-e $t->folder . '/etc/passwd', 'nothing was written there');
refused('a link', { 'link' => '/etc/passwd' }, qr/link/, zip => Mnet::Sender::zip({ link => '/etc/passwd' }, mode => 0120777));
my %bomb = ('bomb.txt' => "\0" x 40_000_000);
refused('a bomb', {}, qr/the most is 8388608/, zip => Mnet::Sender::zip(\%bomb, method => 8),
    data => { filesmanifest => { x => { filename => 'bomb.txt', sha1 => sha1_hex($bomb{'bomb.txt'}), size => '1000' } }, totalsize => 1000 });
%bomb = ();
my $whole = Mnet::Sender::zip({ 'a.txt' => join '', map { sha1_hex($_) } 1 .. 2000 });
refused('a truncated archive', { 'a.txt' => join '', map { sha1_hex($_) } 1 .. 2000 }, qr/./, zip => substr $whole, 0, 40_000);
my $locked = Mnet::Sender::zip({ 'a.txt' => 'secret' });
substr $locked, 6, 2, pack 'v', 0x801;
substr $locked, index($locked, "PK\1\2") + 8, 2, pack 'v', 0x801;
refused('an encrypted archive', { 'a.txt' => 'secret' }, qr/encrypt|password/i, zip => $locked);
my %many = map { ("f$_" => '') } 1 .. 65_000;
my $many = Mnet::Sender::zip(\%many);
refused('65,000 entries', {}, qr/entries|files/, zip => $many, lie => undef,
    data => { filesmanifest => { x => { filename => 'f1', sha1 => sha1_hex(''), size => '0' } }, totalsize => 0, zipfilesize => length $many,
        zipfilesha1 => sha1_hex($many) });

# --- our side ------------------------------------------------------------------------------------

subtest 'a folder without permission' => sub {
    $t->mark;
    chmod 0500, $t->folder;
    my $package = $t->package('moodle', { 'later.txt' => 'later' });
    rename $t->folder . '/.work', $h->root . '/work.away';
    my $got = $t->ready('moodle', $package);
    is($got->{result}{type}, 'queued', 'it waits') or diag explain $got;
    ok((grep { /MNET1010.*MnetPortfolioDir/ } $t->lines), '  and a line says for what') or diag join '', $t->lines;
    my $item = $t->wait_item(sub { ($_[0]{reason} // '') =~ /MnetPortfolioDir/ });
    ok($item, '  and so does the queue');
    chmod 0700, $t->folder;
    rename $h->root . '/work.away', $t->folder . '/.work';
    ok($t->wait_for(sub { grep { exists $_->{'later.txt'} } values %{ $t->arrived } }), 'with permission it arrives');
    $good++;
    goes_on();
};

subtest 'a disk that is full' => sub {
    plan skip_all => 'only root can mount a small file system' if $> != 0;
    my $small = $h->root . '/small';
    mkdir $small;
    my @user = (stat $t->folder)[4, 5];
    system('mount', '-t', 'tmpfs', '-o', "size=2m,mode=700,uid=$user[0],gid=$user[1]", 'tmpfs', $small) == 0
        or plan skip_all => 'no file system can be mounted here';
    my $config = Mnet::Harness::slurp($h->conf_file);
    my $before = $config;
    $config =~ s/^MnetPortfolioDir .*$/MnetPortfolioDir $small/m or die;
    Mnet::Harness::write_file($h->conf_file, $config);
    $h->graceful;
    local $t->{folder} = $small;
    my %files = ('large.txt' => join '', map { sha1_hex("$_") } 1 .. 30_000);
    my $got = $t->send('moodle', \%files);
    is($got->{result}{type}, 'queued', 'too large for what is left: it waits');
    my $item = $t->wait_item(sub { ($_[0]{reason} // '') =~ /no room/ });
    ok($item, '  and the queue says why') or diag explain [$t->items];
    is($t->send('moodle', { 'little.txt' => 'little' })->{result}{type}, 'complete', '  a smaller one goes through');
    $t->ctl('queue', 'drop', '--all');
    # Where no size was told, the disk fills up under it.
    my $intent = $t->peer('moodle')->call($t->site, 'portfolio/content_intent', [{ username => 'alice' }])->{result};
    $t->put('moodle', $intent->{id}, Mnet::Sender::zip({ %files, 'b.txt' => 'b' x 900_000 }));
    $got = $t->peer('moodle')->call($t->site, 'portfolio/content_ready', [$intent->{id}, $t->peer('moodle')->wwwroot . '/package/x.zip', 1]);
    is($got->{result}{type}, 'queued', 'it fills up in the middle: it waits') or diag explain $got;
    ok($t->wait_item(sub { ($_[0]{reason} // '') =~ /[Nn]o space|no room|cannot be written/ }), '  and the queue says why') or diag explain [$t->items];
    is(scalar keys %{ $t->arrived }, 1, '  nothing arrived by half');
    system('mount', '-o', 'remount,size=16m', $small) == 0 or die 'remount';
    $t->ctl('queue', 'retry', '--all');
    ok($t->wait_for(sub { grep { exists $_->{'b.txt'} } values %{ $t->arrived } }, 30), 'with room it arrives') or diag explain [$t->items];
    ok($t->wait_for(sub { !$t->debris }, 10), '  without debris');
    Mnet::Harness::write_file($h->conf_file, $before);
    $h->stop;
    system('umount', $small);
};

$h->stop;
done_testing;
