#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# Sign-on under attack, or with bad luck: one token in many hands at once, logouts at once, sessions
# given to a browser by somebody else, requests that are nobody's arrival.

use strict;
use warnings;
use utf8;
use FindBin qw($Bin);
use lib "$Bin/lib";
use JSON::PP;
use Test::More;
use Mnet::Browser;
use Mnet::Network;

my $n = Mnet::Network->start(sites => 3, peer_lines => sub { "@_" eq '2 1' ? "MnetUserAccess deny *\n" : '' }, site_config => sub {
    my ($net, $h, $i) = @_;
    return "<Location /mnet/logout>\nSetHandler mnet-logout\n</Location>\n<Location /in>\nAuthType Mnet\nRequire valid-user\n</Location>\n"
        . Mnet::Network::identity_provider($h);
});
my $h = $n->harness;
my ($idp, $sp) = map { $n->wwwroot($_) } 0, 1;
my $cookie = 'mnet_session_' . $h->port(1);

sub browser {
    my ($user, %o) = @_;
    return Mnet::Browser->new(user => "$user:secret", realm => $idp, %o);
}

sub landing { my ($b) = @_; return $b->get($n->jump(0, 1, '/'))->{location} }

sub user_with {
    my ($id) = @_;
    my $b = Mnet::Browser->new;
    $b->set_cookie($cookie, $id);
    my $user = decode_json($b->get("$sp/mnet/hosts?format=json")->{content})->{user};
    return $user ? $user->{username} : undef;
}

# Runs that many at once; what each of them says, a line each.
sub at_once {
    my ($count, $do) = @_;
    pipe my $start_in, my $start_out or die "pipe: $!";
    my @readers;
    for my $i (1 .. $count) {
        my $pid = open(my $reader, '-|') // die "fork: $!";
        if (!$pid) {
            close $start_out;
            sysread $start_in, my $go, 1;    # all wait for the same moment
            my $said = eval { $do->($i) } // "died: $@";
            print "$said\n";
            close STDOUT;
            require POSIX;
            POSIX::_exit(0);
        }
        push @readers, $reader;
    }
    close $start_in;
    close $start_out;
    return map { my $line = readline $_; close $_; chomp $line; $line } @readers;
}

subtest 'one token in many hands at once' => sub {
    for my $round (1 .. 5) {
        my $url = landing(browser('alice'));
        my @said = at_once(8, sub {
            my $got = Mnet::Browser->new->get($url);
            return "$got->{status} " . ($got->{cookies}[0]{value} // '');
        });
        my @in = grep { /^303 / } @said;
        is(scalar @in, 1, 'one lands') or diag explain \@said;
        # 503: more wait for the provider than MnetOutgoingLimit lets (prefork has few workers here).
        is(scalar(grep { /^(?:403|503) $/ } @said), 7, '  the others do not, and get no cookie');
        is(user_with($in[0] =~ / (\w+)/), 'alice', '  the one has a session');
    }
    ok($h->wait_log(qr/MNET0829/), 'with a line');
};

subtest 'logouts at once' => sub {
    my $b = browser('alice');
    $b->follow($n->jump(0, 1, '/'));
    my ($id) = values %{ $b->cookies };
    my @said = at_once(8, sub {
        my $one = Mnet::Browser->new;
        $one->set_cookie($cookie, $id);
        return $one->get("$sp/mnet/logout", Referer => "$sp/")->{status};
    });
    is_deeply([@said], [(200) x 8], 'each is logged out');
    is(user_with($id), undef, 'the session is over');
    my @mixed = map { my $x = browser('bob'); $x->follow($n->jump(0, 1, '/')); values %{ $x->cookies } } 1 .. 4;
    @said = at_once(8, sub {
        my ($i) = @_;
        return browser('bob')->follow($n->jump(0, 1, '/'))->{status} if $i % 2;
        my $one = Mnet::Browser->new;
        $one->set_cookie($cookie, $mixed[$i / 2 - 1]);
        return $one->get("$sp/mnet/logout", Referer => "$sp/")->{status};
    });
    ok(!(grep { !/^(?:200|404)$/ } @said), 'landings and logouts of one user at once: nothing fails') or diag explain \@said;
};

subtest 'a session that somebody else chose' => sub {
    my $b = browser('alice');
    $b->set_cookie($cookie, 'a' x 64);
    $b->follow($n->jump(0, 1, '/'));
    isnt($b->cookies->{$cookie}, 'a' x 64, 'a made-up id is replaced at the landing');
    is(user_with('a' x 64), undef, '  and never held');
    my $mallory = browser('bob');
    $mallory->follow($n->jump(0, 1, '/'));
    my $planted = $mallory->cookies->{$cookie};
    $b = browser('carol');
    $b->set_cookie($cookie, $planted);
    $b->follow($n->jump(0, 1, '/'));
    is(user_with($b->cookies->{$cookie}), 'carol', "somebody else's is replaced");
    is(user_with($planted), undef, '  and is not carol, nor anybody any more');
};

subtest 'what is no arrival' => sub {
    my $b = browser('alice');
    my $url = landing($b);
    my $got = $b->request('HEAD', $url, undef);
    is($got->{status}, 405, 'a HEAD');
    is_deeply($got->{cookies}, [], '  makes no session');
    $got = $b->get("$url&token=" . 'a' x 40 . '&idp=http://evil.example');
    is($got->{status}, 303, 'of two parameters of one name the first counts');
    is($b->get($url)->{status}, 403, '  and spends the token');
};

subtest 'addresses in disguise' => sub {
    my $b = browser('alice');
    for my $wants ("\x{ff0f}\x{ff0f}evil.example", '/%EF%BC%8F%EF%BC%8Fevil.example', '/%u002f/evil', "/.%2e/.%2e//evil.example", '/%2e%2e%2f%2fevil.example',
        '/;//evil.example', '/%c0%afevil.example', '/%252f%252fevil.example', '/%25252fevil.example', "/\x{0}//evil.example", '?//evil.example', '#//evil.example',
        '/%09/evil.example', '/%0a/evil.example', '/%ff', 'HTTPS://evil.example', '%2F%2Fevil.example', '/x%0d%0aSet-Cookie:%20a=b', '/x%E5%98%8A%E5%98%8DSet-Cookie:a=b') {
        my $url = landing($b) =~ s/&wantsurl=[^&]*//r;
        my $got = $b->get("$url&wantsurl=" . Mnet::Network::escape($wants));
        (my $shown = $wants) =~ s/[^ -~]/?/g;
        if ($got->{status} == 303) {
            like($got->{location}, qr{^\Q$sp\E/(?![/\\])[!-~]*$}, "'$shown' stays here");
        } else {
            is($got->{status}, 400, "'$shown' is refused");
        }
        is(scalar(grep { $_->{name} ne $cookie } @{ $got->{cookies} }), 0, '  with no cookie but ours');
    }
};

subtest 'a site that is reached by https' => sub {
    my $harness = Mnet::Harness->new(site_config => "ServerAlias 127.0.0.1\nMnetWwwroot https://school.example/below\n"
        . "<Location /below/mnet/logout>\nSetHandler mnet-logout\n</Location>\n");
    $harness->start;
    my $got = $harness->http(GET => $harness->url(0, '/below/mnet/logout'), { Cookie => 'mnet_session=' . 'a' x 64, 'Sec-Fetch-Site' => 'same-origin' });
    like($got->{headers}{'set-cookie'} // '', qr{^mnet_session=; Path=/below; HttpOnly; SameSite=Lax; Secure}, 'its cookie is Secure, of its path, of its name')
        or diag explain $got;
    $harness->stop;
};

$h->stop;
done_testing;
