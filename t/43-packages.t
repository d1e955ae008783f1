#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# What a package is and where it goes: every format to its folder or its application by
# MnetPortfolioRoute, with a report; and packages that mean harm, of which nothing is left.

use strict;
use warnings;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Digest::MD5 qw(md5_hex);
use Digest::SHA qw(sha1_hex);
use Encode ();
use JSON::PP;
use Test::More;
use Time::HiRes qw(time);
use Mnet::Backend;
use Mnet::Sender;

my $app = Mnet::Backend->start('php', script => 'intake.php');
my $t = Mnet::Sender->start(config => "MnetTimeout 20s\n", portfolio => <<"EOT");
MnetPortfolioInterval 1s
MnetPortfolioMaxSize 40m
MnetPortfolioRoute * dir:incoming
MnetPortfolioRoute file dir:files
MnetPortfolioRoute image dir:pictures
MnetPortfolioRoute leap2a dir:portfolios priority=5
MnetPortfolioRoute leap2a dir:nowhere priority=4
MnetPortfolioRoute scorm ${\$app->url}
EOT
my $h = $t->harness;
$t->land('moodle', 'alice');
my $IMS = 'http://www.imsglobal.org/xsd/';
my $BB = 'http://www.blackboard.com/content-packaging/';
my $PNG = "\x89PNG\r\n\x1a\n" . 'a picture';

# Sends it; its folder, relative to the portfolio, and its report.
sub arrives {
    my ($files, %o) = @_;
    my %before = map { $_ => 1 } keys %{ $t->arrived };
    my $got = $t->send('moodle', $files, %o);
    is($got->{result}{type}, 'complete', '  complete') or diag explain $got->{fault};
    my ($where) = grep { !$before{$_} } keys %{ $t->arrived };
    return ('', {}) if !defined $where;
    return ($where, decode_json($t->everything->{"$where/mnet-report.json"} // '{}'));
}

sub taken { return @{ decode_json($h->http('GET', $app->url . 'taken')->{content}) } }

subtest 'LEAP2A' => sub {
    my $leap = qq(<?xml version="1.0" encoding="utf-8"?><feed xmlns="http://www.w3.org/2005/Atom" )
        . qq(xmlns:leap2="http://terms.leapspecs.org/"><title>My work</title><entry/></feed>);
    my %files = ('leap2a.xml' => $leap, 'files/a.txt' => 'attached');
    my ($where, $report) = arrives(\%files, format => 'leap2a');
    like($where, qr{^alice@[^/]+/portfolios/}, 'the route of the highest priority');
    is_deeply($t->arrived->{$where}, \%files, '  with its files as they were');
    is($report->{format}, 'leap2a', '  and a report that says so');
    is($report->{user}, 'alice', '  whose it is');
    is($report->{peer}, $t->peer('moodle')->wwwroot, '  where it is from');
    is_deeply({ map { $_->{path} => $_->{sha1} } @{ $report->{files} } }, { map { $_ => sha1_hex($files{$_}) } keys %files },
        '  and what is in it');
};

subtest 'IMS Common Cartridge' => sub {
    my ($where, $report) = arrives({
        'imsmanifest.xml' => qq(<?xml version="1.0" encoding="UTF-8"?><manifest xmlns="${IMS}imscc/imscp_v1p1" xmlns:bb="$BB">)
            . '<resources><resource identifier="D" type="imsdt_xmlv1p0"><file href="d.xml"/></resource>'
            . '<resource identifier="W" type="imswl_xmlv1p0"><file href="w.xml"/></resource>'
            . '<resource identifier="Q" type="imsqti_xmlv1p2/imscc_xmlv1p0/assessment"><file href="q.xml"/></resource>'
            . '<resource identifier="P" type="webcontent" href="p.html"/></resources></manifest>',
        'd.xml' => qq(<dt:topic xmlns:dt="${IMS}imsdt_v1p0"><title>Talk</title><text texttype="text/plain">x</text></dt:topic>),
        'w.xml' => qq(<wl:webLink xmlns:wl="${IMS}imswl_v1p0"><title>Link</title><url href="http://x.example/"/></wl:webLink>),
        'q.xml' => qq(<questestinterop xmlns="${IMS}ims_qtiasiv1p2"><assessment ident="a" title="Exam"/></questestinterop>),
        'p.html' => '<html><body>p</body></html>' });
    like($where, qr{/incoming/}, 'by the route of any format');
    is($report->{format}, 'imscc', 'a cartridge, though it declares Blackboard\'s namespace, too');
    is_deeply({ map { $_->{identifier} => "$_->{moodle}: " . ($_->{title} // '') } @{ $report->{resources} } },
        { D => 'forum: Talk', W => 'url: Link', Q => 'quiz: Exam', P => 'page: ' }, '  what each resource is in a Moodle');
};

subtest 'Blackboard' => sub {
    my ($where, $report) = arrives({ 'imsmanifest.xml' => qq(<manifest xmlns:bb="$BB"><resources/></manifest>), 'r.dat' => '<x/>' });
    is($report->{format}, 'blackboard', 'by its namespace');
};

subtest 'SCORM, to an application' => sub {
    my $package = $t->package('moodle', {
        'imsmanifest.xml' => '<manifest xmlns:adlcp="http://www.adlnet.org/xsd/adlcp_rootv1p2"><organizations><organization>'
            . '<title>Safety</title></organization></organizations><resources><resource identifier="R" adlcp:scormtype="sco" href="go.html"/>'
            . '</resources></manifest>',
        'go.html' => '<html>go</html>' });
    my $count = keys %{ $t->arrived };
    is($t->ready('moodle', $package)->{result}{type}, 'complete', 'complete');
    my ($one, @more) = taken();
    is(scalar @more, 0, 'one POST');
    like($one->{type}, qr{^multipart/form-data;}, '  of a form');
    is($one->{fields}{format}, 'scorm', '  says the format');
    is($one->{fields}{user}, 'alice', '  the user');
    is($one->{fields}{peer}, $t->peer('moodle')->wwwroot, '  the peer');
    is($one->{key}, qq("$one->{fields}{id}"), '  an id, to be told from another');
    is(decode_json($one->{fields}{report})->{resources}[0]{moodle}, 'scorm', '  the report');
    is_deeply($one->{files}, { package => { name => 'package.zip', type => 'application/zip', error => 0,
                size => length $package->{zip}, sha1 => sha1_hex($package->{zip}) } }, '  and the package as it was sent');
    is(scalar keys %{ $t->arrived }, $count, 'nothing of it is in a folder');
};

subtest 'files' => sub {
    my ($where, $report) = arrives({ 'photo.dat' => $PNG });
    like($where, qr{/pictures/}, 'a picture, by its content');
    is($report->{format}, 'image', '  says the report');
    ($where, $report) = arrives({ 'essay.pdf' => "%PDF-1.4\n" });
    like($where, qr{/files/}, 'a file');
    is($report->{files}[0]{type}, 'application/pdf', '  with its type');
    ($where, $report) = arrives({ 'a.txt' => 'one', 'b.txt' => 'two' });
    like($where, qr{/files/}, 'several files are kinds of files');
    is($report->{format}, 'manifest', '  with a manifest');
    # The name as bytes in the archive, as text in the manifest.
    my $name = "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e \xe3\x83\xac\xe3\x83\x9d\xe3\x83\xbc\xe3\x83\x88.txt";
    my $text = Encode::decode('UTF-8', $name);
    my %one = (filename => $text, sha1 => sha1_hex('japanese'), size => 8);
    ($where, $report) = arrives({ $name => 'japanese' }, data => { filesmanifest => { $one{sha1} => \%one } });
    is_deeply($t->arrived->{$where}, { $name => 'japanese' }, 'a name in Japanese');
    is($report->{files}[0]{path}, $text, '  in the report, too');
    my ($one) = arrives({ 'a.txt' => 'same' });
    my ($two) = arrives({ 'a.txt' => 'same' });
    isnt($one, $two, 'the same again is a second copy');
};

subtest 'several files with a manifest.txt' => sub {
    my $intent = $t->peer('moodle')->call($t->site, 'portfolio/content_intent', [{ username => 'alice' }])->{result};
    my %files = ('one.txt' => 'one', 'two.txt' => 'two');
    my $manifest = join '', map { md5_hex($files{$_}) . ":FILE:$_\n" } sort keys %files;
    for my $bad (1, 0) {
        $t->put('moodle', $intent->{id}, Mnet::Sender::zip({ %files, 'manifest.txt' => $manifest, $bad ? ('two.txt' => 'TWO') : () }));
        my %before = map { $_ => 1 } keys %{ $t->arrived };
        my $got = $t->peer('moodle')->call($t->site, 'portfolio/content_ready',
            [$intent->{id}, $t->peer('moodle')->wwwroot . '/package/it.zip', 1]);
        my ($where) = grep { !$before{$_} } keys %{ $t->arrived };
        if ($bad) {
            $h->expect_log(qr/MNET1040/, qr/MNET10[0-3]\d/);
            ok(!$where, 'a wrong MD5 is refused');
            like($got->{fault}{text} // '', qr/did not exactly match/, '  with Mahara\'s words') or diag explain $got;
            $t->ctl('queue', 'drop', $_->{id}) for $t->items;
            $intent = $t->peer('moodle')->call($t->site, 'portfolio/content_intent', [{ username => 'alice' }])->{result};
            next;
        }
        is($got->{result}{type}, 'complete', 'else complete') or diag explain $got;
        is(decode_json($t->everything->{"$where/mnet-report.json"})->{format}, 'manifest', '  a manifest');
    }
};

subtest 'an application that does not take it' => sub {
    my $scorm = sub {
        return ("$_[0].xml" => 'x', 'imsmanifest.xml' => '<manifest xmlns:adlcp="http://www.adlnet.org/xsd/adlcp_rootv1p2"/>');
    };
    $h->expect_log(qr/MNET1048/, qr/MNET1047/, qr/MNET10[0-3]\d/);
    my $before = () = taken();
    my $got = $t->send('moodle', { $scorm->('later') }, wait => '0');
    is($got->{result}{type}, 'queued', 'queued');
    my $item = $t->wait_item(sub { ($_[0]{reason} // '') =~ /answered 503/ });
    ok($item, 'it stays in the queue with its reason');
    is(scalar(() = taken()), $before + 1, '  posted once');
    $t->ctl('queue', 'retry', $item->{id});
    ok($t->wait_idle, 'tried again it is taken');
    my @two = (taken())[$before, $before + 1];
    like($two[0]{key}, qr/^"\w+"$/, '  under an id');
    is($two[1]{key}, $two[0]{key}, '  the same one');

    $got = $t->send('moodle', { $scorm->('refuse') });
    like($got->{fault}{text} // '', qr/answered 422 .*not here/, 'an answer of "never" goes back to the peer') or diag explain $got;
    ok($t->wait_item(sub { ($_[0]{reason} // '') =~ /answered 422/ }), '  and is what the queue says');
    $t->ctl('queue', 'drop', $_->{id}) for $t->items;
    is_deeply([$t->debris], [], '  nothing is left of it');
};

# --- harm ---------------------------------------------------------------------------------------

# Refused with these words; nothing is left of it, and whatever is parked is dropped.
sub refused {
    my ($what, $zip, $words, %o) = @_;
    my $arrived = keys %{ $t->arrived };
    my $got = $t->send('moodle', $o{files} // { 'a.txt' => 'a' }, zip => $zip, %o);
    like($got->{fault}{text} // '', $words, "$what is refused") or diag explain $got;
    is(scalar keys %{ $t->arrived }, $arrived, '  nothing arrives');
    $t->ctl('queue', 'drop', $_->{id}) for $t->items;
    is_deeply([$t->debris], [], '  nothing is left');
    return;
}

sub changed {
    my ($zip, $from, $to) = @_;
    $zip =~ s/\Q$from\E/$to/gs;
    return $zip;
}

subtest 'packages that mean harm' => sub {
    $h->expect_log(qr/MNET1040/, qr/MNET10[0-3]\d/);
    my $good = Mnet::Sender::zip({ 'a.txt' => 'a' });
    refused('a path out of the folder', Mnet::Sender::zip({ '../../etc/passwd' => 'a' }), qr/leads out of the package's folder/,
        files => { '../../etc/passwd' => 'a' });
    refused('an absolute path', Mnet::Sender::zip({ '/etc/passwd' => 'a' }), qr/leads out/);
    refused('a link', Mnet::Sender::zip({ 'a.txt' => '/etc/passwd' }, mode => 0120777), qr/link or a device/,
        files => { 'a.txt' => '/etc/passwd' });
    refused('a bomb', Mnet::Sender::zip({ 'a' => "\0" x 36_000_000 }, method => 8), qr/200 times as large/,
        files => { 'a' => "\0" x 36_000_000 });
    refused('more than was announced', Mnet::Sender::zip({ 'a.txt' => 'a' x 1000 }, method => 8), qr/announced|did not exactly match/);
    my $encrypted = $good;
    substr $encrypted, 6, 2, pack 'v', 1;
    substr $encrypted, index($encrypted, "PK\1\2") + 8, 2, pack 'v', 1;
    refused('an encrypted archive', $encrypted, qr/encrypted/);
    refused('a truncated archive', substr($good, 0, -30), qr/cut short/);
    my $started = time;
    refused('65,000 entries', Mnet::Sender::zip({ map { ("f$_" => '') } 1 .. 65_000 }), qr/65000 entries/);
    cmp_ok(time - $started, '<', 20, '  at once');
    refused('no archive', 'this is no zip', qr/not a zip archive/);
    refused('a file that is not in the manifest', Mnet::Sender::zip({ 'a.txt' => 'a', 'b.txt' => 'b' }),
        qr/announced|did not exactly match/);
    refused('another content', Mnet::Sender::zip({ 'a.txt' => 'b' }), qr/did not exactly match/);
    refused('a LEAP2A that is none', $good, qr/no LEAP2A document/, format => 'leap2a');
    my ($where) = arrives({ 'after.txt' => 'all of that' });
    ok($where, 'and the next one arrives');
};

done_testing;
