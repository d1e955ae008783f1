#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# mod_http2: each request is a stream among many of one connection, run by threads of that module's
# own.  Calls, sign-on, portfolios, a graceful restart; over TLS, as browsers and a PHP with libcurl
# come, and in clear.

use strict;
use warnings;
use utf8;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Digest::SHA qw(sha1_hex);
use Test::More;
use Mnet::Curl;
use Mnet::Harness;
use Mnet::PhpPeer;
use Mnet::SignOn;

my $lacking = Mnet::PhpPeer::lacking(Mnet::Curl::missing());
plan skip_all => $lacking if $lacking;
for my $module (qw(http2 ssl)) {
    plan skip_all => "this httpd has no mod_$module" if !-e Mnet::Harness::modules_dir() . "/mod_$module.so";
}
plan skip_all => 'mod_http2 does not run under prefork' if ($ENV{MNET_TEST_MPM} // '') eq 'prefork';

my $PLAIN = '<?xml version="1.0"?><methodCall><methodName>system/keyswap</methodName><params/></methodCall>';
my $XMLRPC = '/mnet/xmlrpc/server.php';
my %section = (MnetPublish => 'sso_idp sso_sp pf', MnetSubscribe => 'sso_idp sso_sp pf');
# What the peers in PHP send goes by HTTP/2 as well.
$ENV{MNET_PEER_HTTP2} = 1;

sub start {
    my ($mpm) = @_;
    my $t = Mnet::SignOn->start(peers => { map { $_ => { style => $_, section => \%section } } qw(moodle mahara) },
        config => "MnetTimeout 5s\nMnetPortfolioInterval 1s\n", modules => ['http2'],
        harness => { mpm => $mpm, tls => 1 }, site => sub {
            return "Protocols h2 http/1.1\nMnetPortfolioDir " . $_[0]->root . "/portfolio\n"
                . "CustomLog logs/access.log \"%H %u %U %s\"\n";
        });
    $t->peer('moodle')->user('alice', firstname => 'Alice', lastname => 'Ångström', email => 'alice@example.org');
    return $t;
}

sub browser {
    my ($t) = @_;
    return Mnet::Curl->new(http2 => 1, ca => $t->harness->ca_file, match => qr{^\Q@{[$t->site]}\E/});
}

# Many streams of one connection: how often each answer came, and over how many connections.
sub streams {
    my ($b, @urls) = @_;
    my $n = 0;
    my $said = $b->curl($b->options($urls[0]), qw(--no-progress-meter -Z --parallel-max 100 -o /dev/null),
        '-w', '%{http_version} %{response_code} %{num_connects}\n', $b->header_options($urls[0]),
        map { $n++ ? ('-o', '/dev/null', $_) : $_ } @urls);
    my (%count, $connections);
    for my $line (split /\n/, $said) {
        my ($version, $status, $connects) = split ' ', $line;
        $count{"$version $status"}++;
        $connections += $connects;
    }
    return \%count, $connections;
}

sub sign_on_at {
    my ($t) = @_;
    my $b = browser($t);
    $t->peer('moodle')->enter($b, 'alice');
    my $got = $b->follow($t->peer('moodle')->jump_url($t->site, '/app'));
    return $b, $got;
}

my $t = start('event');
my $h = $t->harness;
my $moodle = $t->peer('moodle');

subtest 'calls' => sub {
    my $reply = $moodle->call($t->site, 'system/listServices');
    is($reply->{headers}{'http-version'}, '2', 'a call comes by HTTP/2') or diag explain $reply;
    ok($reply->{envelope}{verified} && ref $reply->{result} eq 'ARRAY', '  and is answered, sealed and signed');
    my @replies = $moodle->call($t->site, 'many', [map { ['system/listMethods', []] } 1 .. 3]);
    is(scalar(grep { $_->{envelope}{verified} } @replies), 3, 'one after the other');
    my $b = browser($t);
    my $got = $b->unknown(POST => $t->site . $XMLRPC, $moodle->body($t->site, 'system/listServices'), 'Content-Type' => 'text/xml');
    is("$got->{version} $got->{status}", '2 200', 'a body whose length is not told');
    like($got->{content}, qr/encryptedMessage/, '  is opened');
    my $plain = $b->post($t->site . $XMLRPC, $PLAIN, 'Content-Type' => 'text/xml');
    like($plain->{content}, qr/BEGIN CERTIFICATE/, 'a plain one');
    # Refused unread; mod_http2 may reset the stream before curl has read why.
    ok(Mnet::Harness::wait_for(sub { $b->post($t->site . $XMLRPC, $PLAIN, 'Content-Encoding' => 'gzip')->{status} == 415 }, 10),
        'one that says it is compressed: 415');
    is($b->get($t->site . $XMLRPC)->{status}, 405, 'a GET: 405');
    is($b->post($t->site . $XMLRPC, $moodle->body($t->site, 'system/listServices', [], tamper => 'cipher'))->{status}, 200,
        'one that was tampered with has an answer');
    $b->post($t->site . $XMLRPC, 'x' x 11_000_000);
    ok($h->wait_log(qr/MNET0683/), 'one that is too large is refused') or diag $h->error_log;
    ok($t->alive('moodle'), '  and the next is answered');
};

subtest 'sign-on' => sub {
    my ($b, $got) = sign_on_at($t);
    is($got->{status}, 200, 'landed');
    is($got->{version}, '2', '  by HTTP/2');
    is($t->told($got)->{REMOTE_USER}, 'alice@' . $moodle->wwwroot =~ s{^http://}{}r, '  as herself');
    is($t->told($got)->{MNET_LASTNAME}, 'Ångström', '  with her name');
    my ($name) = grep { /^mnet_session/ } keys %{ $b->cookies };
    my $value = $b->cookies->{$name};
    $got = $b->curl($b->options($t->site), (map { ('-H', "Cookie: $_") } 'a=b', "$name=$value", 'c=d'), $t->site . '/app');
    like($got, qr/^REMOTE_USER=alice/m, 'cookies in several headers');
    my ($count, $connections) = streams($b, map { $t->site . "/app?$_" } 1 .. 40);
    is_deeply($count, { '2 200' => 40 }, '40 streams with her session') or diag explain $count;
    is($connections, 1, '  of one connection');
    ($count) = streams($b, map { $t->site . "/mnet/hosts?$_" } 1 .. 40);
    is_deeply($count, { '2 200' => 40 }, '40 of our own pages');
    my $left = $t->leave('mahara', $b);
    is($left->{status}, 303, 'a jump') or diag $left->{content};
    is($b->follow($left->{location})->{status}, 200, '  lands at the Mahara, which asks by HTTP/2');
    is($t->peer('mahara')->arrived('alice', $t->site)->{profile}{lastname}, 'Ångström', '  who she is');
    is($b->get($t->site . '/mnet/logout', 'Sec-Fetch-Site' => 'same-origin')->{status}, 200, 'the logout');
    is($b->get($t->site . '/app')->{status}, 303, '  ends the session');
    my ($stranger) = streams(browser($t), map { $t->site . "/app?$_" } 1 .. 20);
    is_deeply($stranger, { '2 303' => 20 }, '20 streams without one');
};

subtest 'many arrive by one connection' => sub {
    my @landings = map {
        my $each = browser($t);
        $moodle->user("pupil$_", firstname => 'P', lastname => 'Q', email => "p$_\@example.org");
        $moodle->enter($each, "pupil$_");
        $each->get($moodle->jump_url($t->site, '/app'))->{location};
    } 1 .. 8;
    my $b = browser($t);
    my ($count, $connections) = streams($b, @landings);
    is_deeply($count, { '2 303' => 8 }, 'eight landings at once');
    is($connections, 1, '  by one connection');
    ($count) = streams($b, ($landings[0]) x 4);
    ok(!$count->{'2 303'}, 'a token that was used is good for no other') or diag explain $count;
};

my $mahara = $t->peer('mahara');

sub random_file {
    my ($name, $bytes) = @_;
    my $content;
    open my $in, '<:raw', '/dev/urandom' or die $!;
    read $in, $content, $bytes;
    return $h->mine($name, $content);
}

# The peer's; one without anything is a list in PHP.
sub queue {
    my $queue = $mahara->state->{queue};
    return ref $queue eq 'HASH' ? $queue : {};
}

# A package offered by its location: what mnetctl said, and the URL.
sub offer {
    my ($file) = @_;
    $mahara->set(portfolio => { direct => 1 });
    my %before = map { $_ => 1 } keys %{ queue() };
    my $got = $t->ctl(qw(portfolio send), $file, qw(--direct --again --user alice --peer), $mahara->wwwroot);
    my $url = Mnet::Harness::wait_for(sub {
        my $queue = queue();
        my ($token) = grep { !$before{$_} && $queue->{$_}{location} } keys %$queue;
        return $token && "$queue->{$token}{location}&id=$token";
    }, 20) or die "not offered: $got->{out}$got->{err}";
    return $got->{json}, $url;
}

sub state_of {
    my ($sent) = @_;
    my ($one) = grep { $_->{id} eq $sent->{id} } @{ $t->ctl(qw(portfolio list))->{json}{sites}[0]{sent} };
    return $one->{state};
}

subtest 'portfolios' => sub {
    my $got = $t->ctl(qw(portfolio send), random_file('film.mp4', 400_000), '--user', 'alice', '--peer', $mahara->wwwroot,
        qw(--wait --patience 20s));
    is($got->{json}{state}, 'delivered', 'one is fetched by calls of HTTP/2') or diag "$got->{out}$got->{err}";
    my ($sent, $url) = offer($h->root . '/mine/film.mp4');
    my $b = browser($t);
    my $answer = $b->get($url, 'Accept-Encoding' => 'gzip');
    is("$answer->{version} $answer->{status}", '2 200', 'one is fetched by its location');
    is(sha1_hex($answer->{content}), $sent->{sha1}, '  whole');
    is($b->get($url, Range => 'bytes=1000-1999')->{content}, substr($answer->{content}, 1000, 1000), '  or in parts');
    ok(Mnet::Harness::wait_for(sub { state_of($sent) eq 'delivered' }), '  and known to have gone');
    ($sent, $url) = offer(random_file('long.mp4', 20_000_000));
    $b->curl($b->options($url), qw(--max-time 1 --limit-rate 200k -o /dev/null), $url);
    is($b->{exit}, 28, 'one that is broken off');
    is(state_of($sent), 'offered', '  is not taken for fetched');
    is(sha1_hex($b->get($url)->{content}), $sent->{sha1}, '  and comes whole the next time');
    ok(Mnet::Harness::wait_for(sub { state_of($sent) eq 'delivered' }), '  which is known');
};

subtest 'a graceful restart' => sub {
    my ($b) = sign_on_at($t);
    pipe my $in, my $out or die;
    my $pid = fork // die;
    if (!$pid) {
        my $count;
        ($count) = streams($b, map { $t->site . "/app?$_" } 1 .. 30);
        syswrite $out, join ' ', map { "$_: $count->{$_}" } sort keys %$count;
        POSIX::_exit(0);
    }
    close $out;
    $h->graceful;
    my $said = <$in> // '';
    waitpid $pid, 0;
    # What comes after httpd's goodbye is not taken, and a client asks for it again.
    like($said, qr/^(?:0 000: \d+ ?)?(?:2 200: \d+)?$/, 'streams that were under way are answered, or were never taken');
    my ($again) = streams($b, map { $t->site . "/app?$_" } 1 .. 30);
    is_deeply($again, { '2 200' => 30 }, '  and all are when they are asked again') or diag explain $again;
    is($b->get($t->site . '/app')->{status}, 200, 'the session goes on');
};
$h->stop;

subtest 'worker' => sub {
    my $other = start('worker');
    my ($b, $got) = sign_on_at($other);
    is("$got->{version} $got->{status}", '2 200', 'landed');
    my ($count) = streams($b, map { $other->site . "/app?$_" } 1 .. 20);
    is_deeply($count, { '2 200' => 20 }, '20 streams');
    ok($other->alive('moodle'), 'a call');
    $other->harness->stop;
};

subtest 'in clear' => sub {
    my $clear = Mnet::SignOn->start(styles => ['moodle'], modules => ['http2'], site => "Protocols h2c http/1.1\n");
    my $reply = $clear->peer('moodle')->call($clear->site, 'system/listServices');
    is($reply->{headers}{'http-version'}, '2', 'a call with prior knowledge');
    ok($reply->{envelope}{verified}, '  is answered');
    $clear->harness->stop;
};
done_testing;
