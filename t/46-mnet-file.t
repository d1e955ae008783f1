#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# mnet-file: the package of a transfer by its location, as httpd serves a file, for the peer that was
# told of it and nobody else.

use strict;
use warnings;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Digest::SHA qw(sha1_hex sha256_base64);
use Test::More;
use Mnet::Joined;

my %section = (MnetPublish => 'pf', MnetSubscribe => 'pf');
my $t = Mnet::Joined->start(peers => { map { $_ => { style => 'mahara', section => \%section } } qw(mahara other) },
    config => "MnetTimeout 5s\nMnetPortfolioInterval 1s\nMnetFailureLimit 0\n", harness => { site_config => sub {
        return 'MnetPortfolioDir ' . $_[0]->root . "/portfolio\n<Location /packages>\nSetHandler mnet-file\n</Location>\n"
            . 'CustomLog logs/access.log "%r %q %U %s"' . "\n";
    } });
my $h = $t->harness;
my %peer = map { $_ => $t->peer($_) } qw(mahara other);
$_->set(portfolio => { direct => 1 }) for values %peer;

open my $in, '<:raw', '/dev/urandom' or die $!;
my $bytes;
read $in, $bytes, 300_000;
Mnet::Harness::write_file($h->root . '/film.mp4', $bytes);

# Sent and queued there: { id, path, query, token (the peer's), zip }
my %used;

sub offer {
    my ($name, @more) = @_;
    my $got = $t->ctl(qw(portfolio send), $h->root . '/film.mp4', qw(--direct --again --user alice --peer), $peer{$name}->wwwroot, @more);
    die "$got->{out}$got->{err}" if $got->{exit};
    my ($id, $token) = $got->{json}{id};
    my $row = Mnet::Harness::wait_for(sub {
        my $queue = $peer{$name}->state->{queue} || {};
        ($token) = grep { $queue->{$_}{location} && !$used{$_} && ($queue->{$_}{data}{zipfilesha1} // '') eq $got->{json}{sha1} } keys %$queue;
        return $token && $queue->{$token};
    }, 20);
    $used{$token} = 1 if $token;
    my ($path) = $row->{location} =~ m{^\Q@{[$t->site]}\E(/\S+)$} or die 'the location is not ours';
    return { id => $id, path => $path, token => $token, json => $got->{json},
        zip => Mnet::Harness::slurp($h->root . "/portfolio/outgoing/.sending/$id.zip") };
}

sub get {
    my ($offer, %o) = @_;
    my $path = ($o{path} // $offer->{path}) . (exists $o{id} ? defined $o{id} ? "&id=$o{id}" : '' : "&id=$offer->{token}");
    return $h->http($o{method} // 'GET', $h->url(0, $path), $o{headers} || {}, $o{body});
}

sub state_of {
    my ($offer) = @_;
    my ($one) = grep { $_->{id} eq $offer->{id} } @{ $t->ctl(qw(portfolio list))->{json}{sites}[0]{sent} };
    return $one->{state};
}

my $mine = offer('mahara');
my $size = length $mine->{zip};

subtest 'the file' => sub {
    like($mine->{path}, qr{^/mnet/file\?token=[0-9a-f]{40}$}, 'its location is ours, with a token');
    my $got = get($mine, method => 'HEAD');
    is($got->{status}, 200, 'HEAD');
    is($got->{headers}{'content-length'}, $size, '  says how long it is');
    is($got->{content} // '', '', '  and no more');
    is(state_of($mine), 'offered', '  and is no delivery');
    $got = get($mine);
    is($got->{status}, 200, 'GET');
    is(sha1_hex($got->{content}), $mine->{json}{sha1}, '  gives the package');
    is($got->{headers}{'content-type'}, 'application/zip', '  which is a zip');
    my $digest = sha256_base64($mine->{zip});
    $digest .= '=' while length($digest) % 4;
    is($got->{headers}{'repr-digest'}, "sha-256=:$digest:", '  with its digest');
    is($got->{headers}{digest}, "SHA-256=$digest", '  in the older way, too');
    is($got->{headers}{etag}, qq("$mine->{json}{sha1}"), '  its name for caches');
    like($got->{headers}{'cache-control'}, qr/private/, '  which must not share it');
    is($got->{headers}{'accept-ranges'}, 'bytes', '  and can be had in parts');
    Mnet::Harness::wait_for(sub { state_of($mine) eq 'delivered' }, 5);
    is(state_of($mine), 'delivered', 'the last byte is a delivery');
    is(get($mine)->{status}, 200, '  until it expires it can be asked for again');
    is($h->http(GET => $h->url(0, $mine->{path} =~ s{^/mnet/file}{/packages}r . "&id=$mine->{token}"))->{status}, 200,
        'the same by SetHandler');
    is(get($mine, method => 'POST', body => '')->{status}, 405, 'no POST');
};

subtest 'parts of it' => sub {
    for my $case (['bytes=0-99' => 0, 100], ['bytes=100-' => 100, $size - 100], ['bytes=-50' => $size - 50, 50]) {
        my $got = get($mine, headers => { Range => $case->[0] });
        is($got->{status}, 206, $case->[0]);
        is($got->{content}, substr($mine->{zip}, $case->[1], $case->[2]), '  is that part');
        is($got->{headers}{'content-range'}, sprintf('bytes %d-%d/%d', $case->[1], $case->[1] + $case->[2] - 1, $size), '  and says so');
    }
    my $got = get($mine, headers => { Range => 'bytes=0-9,20-29' });
    is($got->{status}, 206, 'two parts');
    like($got->{headers}{'content-type'}, qr{^multipart/byteranges}, '  come as two');
    my @parts = $got->{content} =~ /\r\n\r\n(.{10})\r\n/sg;
    is_deeply(\@parts, [substr($mine->{zip}, 0, 10), substr($mine->{zip}, 20, 10)], '  the right ones');
    $got = get($mine, headers => { Range => 'bytes=' . join ',', map { "$_-" } 0 .. 1000 });
    ok($got->{status} == 200 || length $got->{content} < 2 * $size, 'a thousand overlapping parts cost no more than the whole');
    is(get($mine, headers => { Range => "bytes=$size-" })->{status}, 416, 'a part beyond its end');
    is(get($mine, headers => { Range => 'bytes=5-4' })->{status}, 200, 'nonsense is the whole');
    my $tag = qq("$mine->{json}{sha1}");
    is(get($mine, headers => { Range => 'bytes=0-9', 'If-Range' => $tag })->{status}, 206, 'If-Range, still the same');
    is(get($mine, headers => { Range => 'bytes=0-9', 'If-Range' => '"other"' })->{status}, 200, '  and not the same');
};

subtest 'conditions' => sub {
    my $tag = qq("$mine->{json}{sha1}");
    my $date = get($mine, method => 'HEAD')->{headers}{'last-modified'};
    ok($date, 'Last-Modified');
    for my $case (['If-None-Match' => $tag, 304], ['If-None-Match' => '"other"', 200], ['If-None-Match' => '*', 304],
        ['If-Modified-Since' => $date, 304], ['If-Modified-Since' => 'Mon, 01 Jan 2001 00:00:00 GMT', 200],
        ['If-Match' => $tag, 200], ['If-Match' => '"other"', 412], ['If-Unmodified-Since' => 'Mon, 01 Jan 2001 00:00:00 GMT', 412]) {
        my $got = get($mine, headers => { $case->[0] => $case->[1] });
        is($got->{status}, $case->[2], "$case->[0]: $case->[1]");
        is($got->{content} // '', '', '  without a body') if $case->[2] == 304;
    }
};

subtest 'nobody else' => sub {
    my $theirs = offer('other');
    my ($refusal, %differ) = ('There is no such package, or not any more.' . "\n");
    my ($secret) = $mine->{path} =~ /token=(\w+)/;
    my $flip = substr($secret, 0, 39) . (substr($secret, 39) eq '0' ? '1' : '0');
    for my $case (['no id' => id => undef], ['an empty id' => id => ''], ["another transfer's id" => id => $theirs->{token}],
        ['our own name for it' => id => $mine->{id}], ["another's location with our id" => path => $theirs->{path}],
        ['a wrong token' => path => "/mnet/file?token=$flip"], ['no token' => path => '/mnet/file?x=1'],
        ['a long token' => path => '/mnet/file?token=' . 'a' x 2000], ['a token cut short' => path => '/mnet/file?token=' . substr $secret, 0, 39],
        ['a NUL' => path => '/mnet/file?token=%00']) {
        my ($what, %o) = @$case;
        my $got = get($mine, %o);
        is($got->{status}, 404, $what);
        $differ{ join '|', $got->{content}, map { "$_=" . ($got->{headers}{$_} // '') } grep { !/^(?:date|connection|keep-alive)$/ } sort keys %{ $got->{headers} } }++;
    }
    is(scalar keys %differ, 1, 'always the same answer') or diag explain \%differ;
    like((keys %differ)[0], qr/^\Q$refusal\E/, '  which tells nothing');
    is(get($theirs)->{status}, 200, 'their own is theirs');
    my $plain = $t->ctl(qw(portfolio send), $h->root . '/film.mp4', qw(--again --user alice --peer), $peer{mahara}->wwwroot);
    is($plain->{json}{way}, 'location', 'a peer that has but the first design is sent to in its way');
    unlike($h->error_log, qr/$secret/, 'no secret is in the log');
    my $access = Mnet::Harness::slurp($h->root . '/logs/access.log');
    like($access, qr{^GET /mnet/file HTTP/1\.1 +/mnet/file 200$}m, 'httpd\'s own log has the request');
    unlike($access, qr/token|$secret/, '  without the secret');
};

$h->configure(config => $h->{config} =~ s/MnetFailureLimit 0/MnetFailureLimit 5\/1m/r);
$h->graceful;
subtest 'guesses' => sub {
    is(get($mine, path => '/mnet/file?token=' . 'a' x 40)->{status}, 404, 'a wrong token') for 1 .. 6;
    is(get($mine)->{status}, 200, 'the right one is good all the same');
    is($t->post('x')->{status}, 429, 'they count as messages that do not open');
};

subtest 'over' => sub {
    my $late = offer('other', '--again');
    unlink $h->root . "/portfolio/outgoing/.sending/$late->{id}.zip";
    $h->expect_log(qr/MNET1074/);
    is(get($late)->{status}, 404, 'a package that is not there any more');
    $late = offer('other', '--again');
    is($t->ctl(qw(queue drop), $late->{id})->{exit}, 0, 'dropped');
    is(get($late)->{status}, 404, '  it is not given out any more');
};

$h->stop;
done_testing;
