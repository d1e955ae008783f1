#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# Sign-on between the site and the peer in PHP as Moodle, as an old Moodle and as Mahara, in both roles:
# names in any script arrive whole, whoever logs out is logged out at the other side, and nothing bad
# gets in: each kind of it has its own line in the log.

use strict;
use warnings;
use utf8;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Digest::SHA qw(sha1_hex);
use Encode qw(decode_utf8 encode_utf8);
use JSON::PP;
use MIME::Base64 qw(decode_base64);
use Test::More;
use Time::HiRes qw(sleep time);
use Mnet::PhpPeer;
use Mnet::SignOn;

binmode Test::More->builder->$_, ':utf8' for qw(output failure_output todo_output);

my @styles = qw(moodle moodle-old mahara);
my @names = ('Ångström', 'Ōkami', '漢字', '😀', 'José 😀', 'Ångström Ō', q(O'Brien & <b>"é"</b>), 'Łukasz Żółć',
    "e\x{301}n vocalisé", 'محمد', 'Σωκράτης');
# Site 0 is for all; tokens of site 1 live for a second.
my $t = Mnet::SignOn->start(styles => \@styles, sites => 2, config => "MnetTimeout 3s\n",
    peers => {
        closed => { style => 'moodle', section => { MnetPublish => 'pf', MnetSubscribe => 'pf' } },
        half => { style => 'moodle', section => { MnetPublish => 'sso_idp sso_sp', MnetSubscribe => 'sso_sp' } },
        unsure => { style => 'moodle', section => { MnetPeerCertificate => undef } },
        # The names of those who are denied are not in the configuration: the store has a copy of that.
        strict => { style => 'moodle', section => { MnetUserAccess => "allow alice\n    MnetUserAccess deny *" } },
        down => { style => 'moodle' },
        stranger => { style => 'moodle', stranger => 1 },
    },
    site => sub { $_[1] ? "MnetTokenLifetime 1s\n" : '' });
my $site = $t->site;
my $brief = $t->harness->wwwroot(1);
for my $peer (map { $t->peer($_) } @styles, qw(half strict down stranger closed)) {
    $peer->user('alice', firstname => 'Alice', lastname => 'Ångström', email => 'alice@example.org', city => 'Ōsaka');
    $peer->learn($brief, 'moodle');
}

sub host { my ($wwwroot) = @_; return $wwwroot =~ s{^http://}{}r }

# --- what works ----------------------------------------------------------------------------------

for my $style (@styles) {
    subtest "users of a $style come here" => sub {
        my $peer = $t->peer($style);
        for my $i (0 .. $#names) {
            $peer->user("user$i", firstname => $names[$i], lastname => $names[-$i], email => "user$i\@example.org",
                picture => 1);
            my $got = $t->sign_on($style, "user$i", "/app?n=$i&x=" . 'é');
            my $told = $t->told($got);
            is($told->{MNET_FIRSTNAME}, $names[$i], "$names[$i] arrives whole") or diag explain $got;
            is($told->{MNET_LASTNAME}, $names[-$i], '  the last name as well');
            is($told->{REMOTE_USER}, "user$i@" . host($peer->wwwroot), '  as a user of its site');
            # Mahara puts wantsurl into its own redirect as it is: what follows an ampersand is lost there.
            is($told->{QUERY_STRING}, "n=$i" . ($style eq 'mahara' ? '' : '&x=%C3%A9'), '  where they wanted to go');
        }
        my $got = $t->sign_on($style, 'alice');
        my @headers = grep { /^HTTP_X_/ } keys %{ $t->told($got) };
        is_deeply(\@headers, [], 'no headers unless asked for');
        is($t->told($got)->{MNET_CITY}, 'Ōsaka', 'other fields are there');
    };
    subtest "users of ours go to a $style" => sub {
        my $peer = $t->peer($style);
        for my $i (0 .. $#names) {
            my $browser = $t->visitor;
            my $got = $t->leave($style, $browser, "/view/$i?a=b&c=%20", first => $names[$i], last => $names[-$i]);
            is($got->{status}, 303, "$names[$i] is sent on") or diag explain $got;
            like($got->{location}, qr/^\Q@{[$peer->wwwroot]}\E\/auth\//, '  there') or next;
            $got = $browser->follow($got->{location});
            my $arrived = $peer->arrived('alice', $site);
            is($arrived->{profile}{firstname}, $names[$i], '  and arrives whole') or diag explain $got;
            is($arrived->{profile}{lastname}, $names[-$i], '    the last name as well');
            like($got->{trail}[-1], qr{/view/$i\?a=b&c=}, '  where they wanted to go');
        }
        my $arrived = $peer->arrived('alice', $site);
        is($arrived->{landings}, scalar @names, 'every landing was taken');
        is($arrived->{profile}{wwwroot}, $site, 'the profile says whose it is');
        is($arrived->{profile}{email}, 'alice@example.org', '  and the address');
        $style eq 'mahara' ? is_deeply($arrived->{image}, [], 'it asked for a picture, and there is none')
            : is($arrived->{enrolments}, 'told', 'it told of enrolments');
    };
}

subtest 'several sessions, one cookie' => sub {
    my @browsers = map { $t->visitor(agent => "Browser/$_") } 1 .. 3;
    $t->sign_on('moodle', 'alice', '/app', $_) for @browsers;
    for my $browser (@browsers) {
        my @mine = grep { /^mnet/ } keys %{ $browser->cookies };
        is(scalar @mine, 1, 'one cookie of ours');
        is($browser->get("$site/app")->{status}, 200, '  which holds');
    }
    my $before = { %{ $browsers[0]->cookies } };
    $t->sign_on('mahara', 'alice', '/app', $browsers[0]);
    my $old = $t->visitor;
    $old->set_cookie($_, $before->{$_}) for keys %$before;
    is($old->get("$site/app", 'X-Requested-With' => 'XMLHttpRequest')->{status}, 401,
        'landing as somebody else ends the session before');
    is($t->told($browsers[0]->get("$site/app"))->{MNET_PEER}, $t->peer('mahara')->wwwroot, '  and begins another');
};

subtest 'the way back' => sub {
    for my $style (@styles) {
        my $browser = $t->visitor;
        $t->peer($style)->enter($browser, 'alice');
        my $got = $browser->get($t->peer($style)->jump_url($site, '/view/back?x=1'));
        $got = $browser->get("$got->{location}&remoteurl=1");
        is($got->{location}, $t->peer($style)->wwwroot . '/view/back?x=1', "$style: landed, and back at once");
        is($browser->get("$site/app")->{status}, 200, '  with a session here');
    }
};

subtest 'whoever logs out is logged out at the other side' => sub {
    for my $style (@styles) {
        my ($peer, $browser) = ($t->peer($style), $t->visitor);
        $t->sign_on($style, 'alice', '/app', $browser);
        $peer->forget_requests;
        my $got = $browser->get("$site/mnet/logout", 'Sec-Fetch-Site' => 'same-origin');
        is($got->{status}, 200, "$style: logged out here");
        is($browser->get("$site/app", Accept => '*/*')->{status}, 401, '  the session is over');
        my ($told) = grep { ($_->{method} // '') =~ /kill_children/ } $peer->requests;
        is_deeply($told->{params}, ['alice', $t->agent_hash], '  its provider was told');
        like($browser->get($peer->wwwroot . '/')->{content}, qr/not logged in/, '  and ended its own');

        $t->sign_on($style, 'alice', '/app', $browser);
        $browser->follow($peer->wwwroot . '/login/logout.php');
        is($browser->get("$site/app", Accept => '*/*')->{status}, 401, "$style: logged out there ends it here");

        $browser = $t->visitor;
        $browser->follow($t->leave($style, $browser, '/')->{location});
        like($browser->get($peer->wwwroot . '/')->{content}, qr/logged in as Alice/, "$style: gone there");
        {
            local $browser->{user} = 'alice:secret';
            $got = $browser->post("$site/out");
        }
        is($got->{status}, 200, '  logged out here');
        unlike($got->{content}, qr/could not be told/, '  everybody was told');
        like($browser->get($peer->wwwroot . '/')->{content}, qr/not logged in/, '  and ended it');

        $browser->follow($t->leave($style, $browser, '/')->{location});
        $t->mark;
        $browser->get($peer->wwwroot . '/login/logout.php');
        is_deeply([grep { $_ ne 'MNET0881' && $_ ne 'MNET0882' } $t->noted], ['MNET0864'],
            '  logged out there: we hear of it');
    }
};

subtest 'a chain: from one peer, here, to another' => sub {
    my $browser = $t->visitor;
    $t->sign_on('moodle', 'alice', '/app', $browser);
    my $got = $browser->get($t->jump_url($t->peer('mahara')->wwwroot));
    isnt($got->{status}, 303, 'nobody goes on who came in from a peer');
};

# --- tokens of ours ------------------------------------------------------------------------------

my $AUTHORISE = 'auth/mnet/auth.php/user_authorise';

sub authorise {
    my ($name, $token, %o) = @_;
    $t->mark;
    return $t->peer($name)->call($o{site} // $site, $AUTHORISE, [$token, $o{agent} // $t->agent_hash]);
}

sub refused {
    my ($reply, $code, $id, $what) = @_;
    is($reply->{fault}{code}, $code, "$what: $code") or diag explain $reply;
    is_deeply([$t->noted], [$id], "  with its line $id") or diag join "\n", $t->lines;
    return;
}

sub fresh { my ($name, %o) = @_; return $t->token($t->leave($name, $t->visitor, '/', %o)) }

subtest 'a token is claimed once, by its peer, from its browser, in time' => sub {
    my $token = fresh('moodle');
    like($token, qr/^[0-9a-f]{40}$/, 'forty digits');
    isnt($token, fresh('moodle'), 'never the same');
    refused(authorise('mahara', $token), 1, 'MNET0853', "another peer's");
    refused(authorise('moodle', $token, agent => sha1_hex('Other/1.0')), 3, 'MNET0855', 'another browser');
    refused(authorise('moodle', $token, agent => ''), 3, 'MNET0855', 'no browser');
    refused(authorise('moodle', uc $token), 1, 'MNET0854', 'not quite it') if $token =~ /[a-f]/;
    refused(authorise('moodle', substr $token, 0, 39), 1, 'MNET0854', 'cut');
    my $first = authorise('moodle', $token);
    is($first->{result}{username}, 'alice', 'the right one is answered after all that') or diag explain $first;
    my $again = authorise('moodle', $token);
    is($again->{result}{username}, 'alice', 'the identical repeat within five seconds as well');
    refused(authorise('mahara', $token), 1, 'MNET0853', "  but not another peer's");
    refused(authorise('moodle', $token, agent => sha1_hex('Other/1.0')), 3, 'MNET0855', '  nor another browser');
    sleep 5.5; # the window of a repeat
    refused(authorise('moodle', $token), 1, 'MNET0856', 'after that it is spent');
    my $hit = $t->visitor->get($t->peer('moodle')->land_url(token => $token, idp => $site, wantsurl => '/'));
    isnt($hit->{status}, 302, '  and the peer lets nobody in with it');
};

subtest 'a token expires' => sub {
    my $token = $t->token($t->leave('moodle', $t->visitor, '/', site => 1));
    is(authorise('moodle', $token, site => $brief)->{result}{username}, 'alice', 'within MnetTokenLifetime: good');
    $token = $t->token($t->leave('moodle', $t->visitor, '/', site => 1));
    refused(authorise('moodle', $token), 1, 'MNET0854', 'not at another site of the same httpd');
    sleep 1.2; # MnetTokenLifetime of that site
    refused(authorise('moodle', $token, site => $brief), 2, 'MNET0857', 'after it');
};

subtest 'what is no token' => sub {
    for my $bad ('', 'x' x 10240, "a\nb", '../../etc/passwd', "\x{0}" x 40, 17, ['a'], { a => 'b' }, JSON::PP::true) {
        my $reply = $t->peer('moodle')->call($site, $AUTHORISE, [$bad, $t->agent_hash]);
        ok(defined $reply->{fault}{code}, 'a fault for ' . substr(JSON::PP->new->allow_nonref->encode($bad), 0, 30))
            or diag explain $reply;
    }
    my $reply = $t->peer('moodle')->call($site, $AUTHORISE, []);
    is($reply->{fault}{code}, 7000, 'too few parameters');
    ok($t->alive('moodle'), 'and it lives');
};

subtest 'guesses are limited per peer' => sub {
    my $token = fresh('moodle-old');
    $t->mark;
    my @replies = $t->peer('moodle-old')->call($site, $AUTHORISE, ['0' x 40, $t->agent_hash], repeat => 60);
    is(scalar(grep { ($_->{fault}{code} // 0) == 1 } @replies), 60, 'all of sixty are refused');
    my %count;
    $count{$_}++ for $t->noted;
    is_deeply(\%count, { MNET0854 => 30, MNET0852 => 1 }, 'thirty lines, one that says so, silence');
    is(authorise('moodle-old', $token)->{result}{username}, 'alice', 'a real token is honoured even then');
    refused(authorise('mahara', 'f' x 40), 1, 'MNET0854', "another peer's guesses are its own");
};

subtest 'publish and subscribe' => sub {
    for my $case ([closed => 403, 'MNET0846'], [stranger => 404, 'MNET0844'], [unsure => 403, 'MNET0847']) {
        my ($name, $status, $id) = @$case;
        $t->mark;
        my $got = $t->leave($name, $t->visitor, '/');
        is($got->{status}, $status, "nobody goes to the peer $name: $status");
        is_deeply([$t->noted], [$id], "  with its line $id");
        is_deeply($got->{cookies}, [], '  without a cookie');
    }
    my $token = fresh('moodle');
    my $reply = $t->peer('closed')->call($site, $AUTHORISE, [$token, $t->agent_hash]);
    is($reply->{fault}{code}, 7012, 'the service is not published to it: 7012');
};

subtest 'jumps that go nowhere' => sub {
    my $peer = $t->peer('moodle')->wwwroot;
    my @bad = ('//evil.example/', 'http://evil.example/', '/\\evil.example', '\\\\evil.example', "/a\r\nSet-Cookie: x=y",
        '/%0d%0aX: y', 'javascript:alert(1)', '/../../x', '@evil.example/', '.evil.example/', '/%252f%252fevil',
        "${peer}.evil.example/", "$peer\@evil.example/", '/a' . '/b' x 1000);
    for my $bad (@bad) {
        my $got = $t->leave('moodle', $t->visitor, $bad);
        my $location = $got->{location} // '';
        ok($got->{status} == 400 || $location =~ m{^\Q$peer\E/auth/mnet/land\.php\?}, 'wantsurl ' . substr($bad, 0, 30)
            . ": $got->{status}");
        unlike($location, qr/evil|[\r\n]/, '  never elsewhere') if $got->{status} == 303 && $bad !~ /252f/;
    }
    my $browser = $t->visitor(user => 'alice:secret');
    for my $lacking (['X-First', 'firstname'], ['X-Last', 'lastname']) {
        my %headers = ('X-First' => 'QQ==', 'X-Last' => 'Qg==', $lacking->[0] => 'IA==');
        $t->mark;
        my $got = $browser->get($t->jump_url($peer), %headers);
        is($got->{status}, 403, "without $lacking->[1]: told so here");
        like($got->{content}, qr/MnetAttribute $lacking->[1]/, '  with the directive that mends it');
        is_deeply([$t->noted], ['MNET0849'], '  and its line');
    }
};

# --- users of theirs -----------------------------------------------------------------------------

# The answer of our land page to a jump of alice's at a peer, whatever becomes of it.
sub landing {
    my ($name, %change) = @_;
    my $browser = $t->visitor;
    $t->peer($name)->enter($browser, $change{user} // 'alice');
    my $got = $browser->get($t->peer($name)->jump_url($site, '/app'));
    my $url = $got->{location} // die "$name made no token";
    $url =~ s/([?&]$_=)[^&]*/$1$change{query}{$_}/ for keys %{ $change{query} || {} };
    $browser->{agent} = $change{agent} if $change{agent};
    $t->mark;
    my $started = time;
    $got = $browser->get($url);
    return { %$got, browser => $browser, seconds => time - $started };
}

# How much of the store speaks of a name.
sub stored {
    my ($text) = @_;
    my $bytes = Mnet::Harness::slurp($t->harness->state_dir . '/data.mdb') || die 'there is no store';
    return () = $bytes =~ /\Q$text\E/g;
}

sub nobody {
    my ($got, $status, $id, $what) = @_;
    is($got->{status}, $status, "$what: $status") or diag explain { %$got, browser => undef };
    is_deeply([$t->noted], [$id], "  with its line $id") or diag join "\n", $t->lines;
    is_deeply($got->{cookies}, [], '  no cookie');
    is($got->{location}, undef, '  no redirect');
    my ($title, $number) = $got->{content} =~ m{<h1>(.+?)</h1>.*<code>([^<]+)</code>}s;
    ok($title && $number, '  a page with a title and a number');
    my @with = grep { index($_, $number // 'none') >= 0 } $t->lines;
    cmp_ok(scalar @with, '>=', 1, '  which the log has as well');
    return;
}

subtest 'links that are wrong in themselves' => sub {
    my $peer = $t->peer('moodle');
    my $ask = sub {
        my (%query) = @_;
        $t->mark;
        return $t->visitor->get("$site/auth/mnet/land.php?" . join '&', map { "$_=$query{$_}" } sort keys %query);
    };
    my %good = (token => 'a' x 40, idp => $peer->wwwroot, wantsurl => '/');
    $peer->forget_requests;
    nobody($ask->(%good, token => ''), 400, 'MNET0810', 'no token');
    nobody($ask->(%good, token => 'x' x 65), 400, 'MNET0810', 'a long token');
    nobody($ask->(%good, token => 'a%00b'), 400, 'MNET0889', 'a NUL');
    nobody($ask->(%good, token => 'a%0d%0ab'), 400, 'MNET0810', 'a line end in the token');
    nobody($ask->(%good, idp => ''), 400, 'MNET0811', 'no idp');
    nobody($ask->(%good, idp => 'http://' . 'a' x 300), 400, 'MNET0811', 'a long idp');
    nobody($ask->(%good, idp => 'http://nobody.example'), 404, 'MNET0812', 'an unknown site');
    nobody($ask->(%good, idp => $peer->wwwroot . '/'), 404, 'MNET0812', 'not quite its wwwroot');
    nobody($ask->(%good, idp => $t->peer('stranger')->wwwroot), 404, 'MNET0812', 'a site that is no peer');
    nobody($ask->(%good, idp => $site), 404, 'MNET0812', 'ourselves');
    nobody($ask->(%good, idp => $t->peer('closed')->wwwroot), 403, 'MNET0814', 'a peer without sign-on');
    nobody($ask->(%good, idp => $t->peer('half')->wwwroot), 403, 'MNET0814', 'a peer that only takes users');
    nobody($ask->(%good, idp => $t->peer('unsure')->wwwroot), 403, 'MNET0815', 'a peer without a certificate');
    for my $wants ('//evil.example', '/%5Cevil.example', 'https://evil.example/', 'javascript:alert(1)', '/%0d%0aX:y',
        '@evil.example', '.evil.example', '%2F%2Fevil.example', '/..%2f..%2fx', 'http:%2F%2Fevil', "$site.evil.example",
        '/%09/evil.example', '/%25%32%66/evil.example') {
        nobody($ask->(%good, wantsurl => $wants, remoteurl => $_), 400, 'MNET0816', "wantsurl $wants" . ($_ && ', back'))
            for '', '1';
    }
    is($peer->heard($AUTHORISE), 0, 'for none of them the provider was asked');
    my $got = $t->visitor->post("$site/auth/mnet/land.php?token=a&idp=b", 'x=y');
    is($got->{status}, 405, 'a POST: 405');
};

subtest 'a provider that refuses' => sub {
    for my $style (@styles) {
        my $peer = $t->peer($style);
        nobody(landing($style, query => { token => '0' x 40 }), 403, 'MNET0818', "$style: a token it never made");
        nobody(landing($style, agent => 'Other/2.0'), 403, 'MNET0818', "$style: another browser")
            if $style ne 'mahara'; # which does not look
    }
    # A token of one provider, brought in the name of another.
    nobody(landing('moodle', query => { idp => $t->peer('mahara')->wwwroot }), 403, 'MNET0818', "another peer's token");
};

subtest 'a provider that lies' => sub {
    my $other = host($t->peer('mahara')->wwwroot);
    for my $style (@styles) {
        my $peer = $t->peer($style);
        my $root = $peer->wwwroot;
        my @lies = (
            ['no username', { username => undef }, 'MNET0822'],
            ['false', JSON::PP::false, 'MNET0822'],
            ['true', JSON::PP::true, 'MNET0822'],
            ['a number', 1, 'MNET0822'],
            ['a text', 'alice', 'MNET0822'],
            ['a list', ['alice'], 'MNET0822'],
            ['a username that is a struct', { username => { a => 'alice' } }, 'MNET0822'],
            ['an empty username', { username => '' }, qr/MNET082[23]/],
            ['a line end in it', { username => "alice\nroot" }, 'MNET0823'],
            ['a tab at its end', { username => "alice\t" }, 'MNET0823'],
            ['DEL', { username => "al\x{7f}ice" }, 'MNET0823'],
            ['ten kilobytes', { username => 'a' x 10240 }, 'MNET0823'],
            ['a hundred and one characters', { username => 'Å' x 101 }, 'MNET0823'],
            ['a path', { username => '../alice' }, 'MNET0823'],
            ['an invisible mark', { username => "al\x{202e}ice" }, 'MNET0823'],
            ["another site's suffix", { username => "alice\@" . ($style eq 'mahara'
                ? host($t->peer('moodle')->wwwroot) : $other) }, 'MNET0824'],
            ['our own suffix', { username => 'alice@' . host($site) }, 'MNET0824'],
            ['another wwwroot', { wwwroot => 'http://' . $other . '/x' }, 'MNET0825'],
            ['our own wwwroot', { wwwroot => $site }, 'MNET0825']);
        for my $lie (@lies) {
            my ($what, $value, $id) = @$lie;
            $peer->set(identity => { value => $value, times => 1 });
            my $got = landing($style);
            ($id) = grep { /$id/ } $t->noted if ref $id;
            nobody($got, 502, $id // 'MNET0823', "$style: $what");
        }
        my $got = landing($style);
        is($got->{status}, 303, "$style: and then the truth");
    }
};

subtest 'a provider that answers nothing of use' => sub {
    for my $style (@styles) {
        my $peer = $t->peer($style);
        for my $lie (qw(html garbage empty 500 404 close truncated redirect plain-answer bad-signature foreign-signature
            wrong-inner unsigned unencrypted doctype not-xml no-rc4)) {
            $peer->lie_once($lie);
            my $got = landing($style);
            my ($id) = grep { /MNET08(?:17|21)/ } $t->noted;
            nobody($got, 502, $id // 'MNET0821', "$style: $lie");
            is(landing($style)->{status}, 303, '  and then the truth');
        }
        $peer->lie_once('hang:20');
        my $got = landing($style);
        nobody($got, 504, 'MNET0820', "$style: hanging");
        cmp_ok($got->{seconds}, '<', 10, sprintf('  for no longer than MnetTimeout (%.1f s)', $got->{seconds}));
        is(landing($style)->{status}, 303, '  and the next one lands');
    }
};

subtest 'a provider that is down' => sub {
    my $peer = $t->peer('down');
    my $browser = $t->visitor;
    $peer->enter($browser, 'alice');
    my $url = $browser->get($peer->jump_url($site, '/app'))->{location};
    $peer->stop;
    for (1 .. 6) {
        $t->mark;
        my $got = $browser->get($url);
        ok($got->{status} == 502 || $got->{status} == 504, "nobody lands: $got->{status}");
        is(scalar(grep { /MNET082[01]/ } $t->noted), 1, '  with its line');
    }
    like($t->log_text, qr/did not answer \d times in a row/, 'after a while it is left alone');
};

subtest 'MnetUserAccess, before any account' => sub {
    my $peer = $t->peer('strict');
    $peer->user($_, firstname => $_, lastname => 'X', email => "$_\@example.org") for qw(mallory trudy);
    for my $who (qw(mallory trudy)) {
        nobody(landing('strict', user => $who), 403, 'MNET0826', $who);
        is(stored($who), 0, '  and the store has never heard of them');
    }
    my $got = landing('strict');
    is($got->{status}, 303, 'alice comes in');
    cmp_ok(stored('alice'), '>', 0, '  whom the store knows');
};

subtest 'kills by a peer whose users they are not' => sub {
    my $browser = $t->visitor;
    $t->peer('moodle')->user('dora', firstname => 'Dora', lastname => 'X', email => 'dora@example.org');
    $t->sign_on('moodle', 'dora', '/app', $browser);
    my $kill = 'auth/mnet/auth.php/kill_child';
    for my $other (qw(mahara moodle-old)) {
        $t->mark;
        my $reply = $t->peer($other)->call($site, $kill, ['dora', $t->agent_hash('Nobody/1')]);
        ok(defined $reply->{result} && !$reply->{result}, "$other: told that there was none") or diag explain $reply;
        is(scalar(grep { $_ eq 'MNET0863' } $t->noted), 1, '  with its line');
    }
    is($browser->get("$site/app")->{status}, 200, 'the session holds');
    is($t->peer('moodle')->call($site, $kill, ['bob', $t->agent_hash])->{result}, JSON::PP::false, 'nor does the right peer by a wrong name');
    is($t->peer('closed')->call($site, $kill, ['dora', $t->agent_hash])->{fault}{code}, 7012, 'a peer without sign-on: 7012');
    is($browser->get("$site/app")->{status}, 200, 'the session holds still');
    is($t->peer('moodle')->call($site, $kill, ['dora', $t->agent_hash])->{result}, JSON::PP::true, 'its own peer ends it');
    is($browser->get("$site/app", Accept => '*/*')->{status}, 401, '  at once');

    # The other direction: a user of ours who went to one peer.
    my $mahara = $t->peer('mahara');
    $browser = $t->visitor;
    $browser->follow($t->leave('mahara', $browser, '/', user => 'carol')->{location});
    $t->mark;
    my $reply = $t->peer('moodle')->call($site, 'auth/mnet/auth.php/kill_children', ['carol', $t->agent_hash]);
    like($reply->{result} // '', qr/No session/, 'a peer where she never was ends nothing');
    is_deeply([$t->noted], ['MNET0865'], '  with its line');
    like($browser->get($mahara->wwwroot . '/')->{content}, qr/logged in as/, '  she is logged in there still');
    $reply = $t->peer('moodle')->call($site, 'auth/mnet/auth.php/keepalive_server', [['carol', 'nobody']]);
    is($reply->{result}{code}, 1, 'nor does it keep her alive');
    $reply = $mahara->call($site, 'auth/mnet/auth.php/keepalive_server', [['carol']]);
    is($reply->{result}{code}, 0, 'the peer where she is does');
    is($reply->{result}{'last log id'}, '0', '  in the exact form');
};

subtest 'a picture' => sub {
    my $gif = 'GIF89a' . pack 'C*', map { $_ % 256 } 1 .. 3000;
    mkdir $t->harness->root . '/pictures';
    Mnet::Harness::write_file($t->harness->root . '/pictures/bob', $gif);
    for my $style (@styles) {
        my $peer = $t->peer($style);
        $peer->user('bob', firstname => 'Bob', lastname => 'B', email => 'bob@example.org');
        my $browser = $t->visitor;
        $browser->follow($t->leave($style, $browser, '/', user => 'bob')->{location});
        my $arrived = $peer->arrived('bob', $site);
        is_deeply($arrived->{image}, [qw(f1 f1_mimetype)], "$style: fetched at the landing") or diag explain $arrived;
        my $reply = $peer->call($site, 'auth/mnet/auth.php/fetch_user_image', ['bob'], show => 1);
        is(decode_base64($reply->{result}{f1} // ''), $gif, '  byte for byte');
        is($reply->{result}{f1_mimetype}, 'image/gif', '  with its type');
        like($reply->{document}, qr{<name>f1</name>\s*<value>\s*<string>}, '  as a string') or diag substr $reply->{document}, 0, 400;
        is($arrived->{profile}{picture}, (stat $t->harness->root . '/pictures/bob')[9], '  its number is another one for another picture');
    }
};

subtest 'the rest of sso_idp, in exact types' => sub {
    for my $style (@styles) {
        my $call = sub {
            my ($function, @params) = @_;
            my $reply = $t->peer($style)->call($site, "auth/mnet/auth.php/$function", \@params, show => 1);
            return ($reply->{result}, $reply->{document}, $reply);
        };
        my ($result, $document) = $call->('fetch_user_image', 'alice');
        like($document, qr{<array>}, "$style: fetch_user_image is an array");
        ($result, $document) = $call->('refresh_log', [{ remoteid => '1', username => 'alice' }]);
        is_deeply($result, { code => 0, message => 'All ok' }, '  refresh_log');
        like($document, qr{<int>0</int>}, '    its code an int');
        ($result) = $call->('update_enrolments', 'nobody', []);
        ok(JSON::PP::is_bool($result) && !$result, '  update_enrolments of somebody who is not there');
        authorise($style, fresh($style));
        ($result, $document) = $call->('update_enrolments', 'alice', []);
        ok(JSON::PP::is_bool($result) && $result, '  update_enrolments of none is true') or diag $document;
        ($result, $document) = $call->('fetch_theme_info');
        is_deeply([sort keys %{ $result || {} }], [qw(logourl themename)], '  fetch_theme_info');
        ($result, $document) = $call->('kill_child', 'nobody', 'x' x 40);
        like($document, qr{<boolean>0</boolean>}, '  kill_child is a boolean');
        ($result, $document) = $call->('kill_children', 'nobody', 'x' x 40);
        ok(defined $result && !ref $result && !JSON::PP::is_bool($result), '  kill_children is a text');
    }
};

# --- cookies and headers -------------------------------------------------------------------------

sub with_cookie {
    my ($value, $url) = @_;
    my ($name) = $site =~ /:(\d+)$/;
    $t->mark;
    return $t->visitor->get($url // "$site/app", Accept => '*/*', Cookie => "mnet_session_$name=$value");
}

subtest 'cookies that are none' => sub {
    my $browser = $t->visitor;
    $t->sign_on('moodle', 'alice', '/app', $browser);
    my ($port) = $site =~ /:(\d+)$/;
    my $good = $browser->cookies->{"mnet_session_$port"};
    like($good, qr/^[0-9a-f]{64}$/, 'sixty-four digits');
    is(with_cookie($good)->{status}, 200, 'the right one enters');
    my %bad = ('a made-up one' => ['a' x 64, 'MNET0882'], 'cut' => [substr($good, 0, 63), 'MNET0881'],
        'empty' => ['', 'MNET0881'], 'too long' => [$good . 'a', 'MNET0881'], 'in capitals' => [uc $good, 'MNET0881'],
        'an attack' => ["' OR 1=1 --", 'MNET0881'], 'ten kilobytes' => ['a' x 6000, 'MNET0881'],
        'nearly' => [($good =~ s/^(.)/$1 eq '0' ? '1' : '0'/er), 'MNET0882']);
    for my $what (sort keys %bad) {
        my ($value, $id) = @{ $bad{$what} };
        is(with_cookie($value)->{status}, 401, "$what: 401");
        is_deeply([$t->noted], [$id], "  with its line $id");
    }
    my ($other) = $brief =~ /:(\d+)$/;
    $t->mark;
    my $got = $t->visitor->get("$brief/app", Accept => '*/*', Cookie => "mnet_session_$other=$good; mnet_session_$port=$good");
    is($got->{status}, 401, 'of another site of the same httpd: 401');
    is_deeply([$t->noted], ['MNET0882'], '  with its line');
    is(with_cookie("x; mnet_session_$port=$good")->{status}, 200, 'a bad one beside the right one does no harm');
    my $many = join '; ', map { "mnet_session_$port=" . sprintf('%064x', $_) } 1 .. 80;
    $t->mark;
    $got = $t->visitor->get("$site/app", Accept => '*/*', Cookie => $many);
    is($got->{status}, 401, 'eighty of them are no way in');
    my $bytes = Mnet::Harness::slurp($t->harness->state_dir . '/data.mdb');
    is(index($bytes, $good), -1, 'the store does not have the id itself');
    is(index($bytes, pack 'H*', $good), -1, '  in no form');
    is(index($t->log_text, $good), -1, '  nor does the log');
};

subtest 'spoofed headers' => sub {
    my $browser = $t->visitor;
    $t->sign_on('moodle', 'alice', '/app', $browser);
    my %spoof = ('X-Mnet-Username' => 'root', 'X-Mnet-Peer' => 'http://evil.example', 'X-Mnet-Isadmin' => '1',
        'x_mnet_email' => 'evil@example.org', 'X-MNET-Anything' => 'x');
    for my $path (qw(/app /headers /open)) {
        $t->mark;
        my $got = $browser->get("$site$path", %spoof);
        is($got->{status}, 200, "$path is served");
        unlike($got->{content}, qr/root|evil|ISADMIN|ANYTHING/i, '  without what the client made up') or diag $got->{content};
        is(scalar(grep { $_ eq 'MNET0885' } $t->noted), 1, '  with its line');
    }
    my $told = $t->told($browser->get("$site/headers", %spoof));
    is($told->{HTTP_X_MNET_USERNAME}, 'alice', 'the true ones are there');
    is($told->{HTTP_X_MNET_LASTNAME}, 'Ångström', '  in UTF-8');
    is($told->{MNET_USERNAME}, undef, '  and no variables beside them');
    my $got = $t->visitor->get("$site/open", %spoof);
    unlike($got->{content}, qr/MNET/, 'nothing for somebody without a session');
};

subtest 'secrets are not in the log' => sub {
    my $token = fresh('moodle');
    $t->peer('moodle')->call($site, $AUTHORISE, [$token, $t->agent_hash]);
    is(index($t->log_text, $token), -1, 'no token');
    is(index(Mnet::Harness::slurp($t->harness->state_dir . '/data.mdb'), $token), -1, '  nor is it in the store');
};

ok($t->alive($_), "$_: the server is alive") for @styles;
done_testing;
