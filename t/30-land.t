#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# A user arrives: from a jump at one site to a session at another, and everything that may be wrong
# with a landing.

use strict;
use warnings;
use utf8;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Encode qw(decode_utf8);
use JSON::PP;
use Test::More;
use Mnet::Browser;
use Mnet::Network;

binmode Test::More->builder->$_, ':encoding(UTF-8)' for qw(output failure_output);

# 0: provider; 1: where users arrive; 2: an application mahara, to which 0 sends users as well.
my $n = Mnet::Network->start(sites => 3, peer_lines => sub {
        my ($i, $j) = @_;
        return ($j == 2 ? "MnetPeerApplication mahara\n" : '') . ($i == 1 && $j == 0 ? "MnetUserAccess deny bob\n" : '');
    }, site_config => sub {
        my ($net, $h, $i) = @_;
        my $more = $i == 1 ? "<MnetPeer \"http://127.0.0.1:1\">\nMnetPublish sso_sp\nMnetSubscribe sso_idp\n</MnetPeer>\n"
            . "<MnetPeer \"http://silent.example\">\nMnetPublish sso_idp\nMnetSubscribe sso_sp\n</MnetPeer>\n" : '';
        return $more . ($i == 2 ? "MnetApplication mahara\n" : '') . Mnet::Network::identity_provider($h);
    });
my $h = $n->harness;
my ($idp, $sp) = map { $n->wwwroot($_) } 0, 1;

sub browser {
    my ($user, %o) = @_;
    return Mnet::Browser->new(user => "$user:secret", realm => $idp, %o);
}

# The URL at which the user lands.
sub landing {
    my ($b, $wants, $more) = @_;
    my $got = $b->get($n->jump(0, 1, $wants));
    is($got->{status}, 303, 'the jump') or diag $got->{content};
    return $got->{location} . ($more // '');
}

subtest 'a landing' => sub {
    my $b = browser('alice');
    my $url = landing($b, '/course/view.php?id=3&x=é');
    like($url, qr{^\Q$sp\E/auth/mnet/land\.php\?token=[0-9a-f]{40}&idp=}, 'where the jump leads');
    my $got = $b->get($url);
    is($got->{status}, 303, 'landed') or diag $got->{content};
    is($got->{location}, "$sp/course/view.php?id=3&x=%C3%A9", '  where the user wanted to go');
    is(scalar @{ $got->{cookies} }, 1, '  with one cookie');
    my $cookie = $got->{cookies}[0];
    my $port = $h->port(1);
    is($cookie->{name}, "mnet_session_$port", '    its name');
    like($cookie->{value}, qr/^[0-9a-f]{64}$/, '    its value');
    is($cookie->{path}, '/', '    its path');
    is(lc $cookie->{samesite}, 'lax', '    SameSite=Lax');
    ok($cookie->{httponly}, '    HttpOnly');
    ok(!exists $cookie->{$_}, "    no $_") for qw(domain secure expires max-age);
    is($got->{headers}{'cache-control'}, 'no-store', '  kept by no cache');
    is($got->{headers}{'referrer-policy'}, 'no-referrer', '  and told to nobody');
    my $info = decode_json($b->get("$sp/mnet/hosts?format=json")->{content});
    is_deeply($info->{user}, { name => 'alice Ångström', username => 'alice' }, 'the site knows who it is');
    is($info->{from}{url}, $idp, '  and where from');
    unlike($h->error_log, qr/\Q$cookie->{value}\E/, 'the cookie is in no log');

    $got = $b->get($url);
    is($got->{status}, 403, 'the same token again');
    is_deeply($got->{cookies}, [], '  no cookie') if $got->{status} != 303;
    ok($h->wait_log(qr/MNET0829.*landed here before/), '  and a line');
    is($b->get("$sp/mnet/hosts?format=json")->{content} =~ /alice/, 1, '  the session stays');
};

subtest 'a page for people' => sub {
    my $b = browser('alice');
    my $got = $b->get("$sp/auth/mnet/land.php?token=" . 'a' x 40 . "&idp=$idp&wantsurl=/");
    is($got->{status}, 403, 'a token that nobody made');
    like($got->{headers}{'content-type'}, qr{^text/html; charset=utf-8}, 'HTML');
    like($got->{content}, $_, "the page has $_") for qr/<html lang="en">/, qr/<title>[^<]+</, qr/<main>/, qr/<h1>/,
        qr/name="viewport"/;
    unlike($got->{content}, qr/<script|onclick|https?:\/\/(?!127\.0\.0\.1)/, '  and neither script nor anything from elsewhere');
    like($got->{headers}{'content-security-policy'}, qr/default-src 'none'/, '  as its policy says');
    is($got->{headers}{'x-content-type-options'}, 'nosniff', '  no guessing');
    is($got->{headers}{'cache-control'}, 'no-store', '  no caching');
    my ($id) = $got->{content} =~ m{<code>([^<]+)</code>};
    ok($id, 'it shows a number');
    ok($h->wait_log(qr/MNET08\d\d.*\(\Q$id\E\)/), '  under which the log has the details');
};

subtest 'bad parameters' => sub {
    my $b = browser('alice');
    my $token = 'b' x 40;
    for my $case (
        ['no token' => "idp=$idp", 400], ['no provider' => "token=$token", 400], ['nothing' => '', 400],
        ['an empty token' => "token=&idp=$idp", 400], ['no token at all' => "token=%3Cscript%3E&idp=$idp", 400],
        ['a long token' => 'token=' . 'a' x 65 . "&idp=$idp", 400], ['a NUL' => "token=a%00b&idp=$idp", 400],
        ['an unknown provider' => "token=$token&idp=http://elsewhere.example", 404],
        ['a provider written otherwise' => "token=$token&idp=$idp/", 404],
        ['a long provider' => "token=$token&idp=http://" . 'a' x 300, 400],
        ['our own wwwroot' => "token=$token&idp=$sp", 404],
        ['a peer that sends nobody' => "token=$token&idp=http://silent.example", 403],
        ['a very long query' => "token=$token&idp=$idp&x=" . 'x' x 7000 . ('&y=' . 'y' x 100) x 70, 400],
        ) {
        my ($what, $query, $status) = @$case;
        my $got = $b->get("$sp/auth/mnet/land.php?$query");
        # httpd refuses a line that is too long before we see it.
        like($got->{status}, $what =~ /very long/ ? qr/^(?:400|414)$/ : qr/^$status$/, "$what: $status");
        is_deeply($got->{cookies}, [], '  no cookie');
        unlike($got->{content}, qr/<script>/, '  and nothing of it comes back as HTML');
    }
    for my $method (qw(POST PUT DELETE)) {
        my $got = $b->request($method, "$sp/auth/mnet/land.php?token=$token&idp=$idp", '');
        is($got->{status}, 405, "$method: 405");
        like($got->{headers}{allow}, qr/GET/, '  and what is allowed');
    }
    my $got = $b->get("$sp/auth/mnet/land.php?token=$token&idp=http%3A%2F%2F127.0.0.1%3A1");
    is($got->{status}, 403, 'a provider whose certificate nobody confirmed') or diag $got->{content};
};

subtest 'where a landing leads' => sub {
    my %fine = ('' => '/', '/' => '/', '/a/b?c=d&e=%2F' => '/a/b?c=d&e=%2F', '/x#y' => '/x#y', 'a/b' => '/a/b', "$sp/in" => '/in');
    for my $wants (sort keys %fine) {
        my $b = browser('carol');
        my $got = $b->get(landing($b) =~ s/&wantsurl=[^&]*//r . '&wantsurl=' . Mnet::Network::escape($wants));
        is($got->{status}, 303, "'$wants'");
        is($got->{location}, "$sp$fine{$wants}", '  leads there');
    }
    my $b = browser('carol');
    my $url = landing($b, '/');
    for my $evil ('//evil.example', '/\\evil.example', '\\\\evil.example', '/%5cevil.example', 'http://evil.example/', 'https:evil.example',
        'javascript:alert(1)', '/%2f%2fevil.example', '@evil.example', '.evil.example', "/\r\nX-Evil: 1", '/%0d%0aX-Evil:1',
        '/a/../../b', "//evil.example/$sp", '/ /evil.example', "/\tevil", 'data:text/html,x', "$sp\@evil.example", "${sp}1/x", "/\x{2028}x") {
        my $got = $b->get($url =~ s/&wantsurl=[^&]*//r . '&wantsurl=' . Mnet::Network::escape($evil));
        (my $shown = $evil) =~ s/[^ -~]/?/g;
        if ($got->{status} == 303) {
            like($got->{location}, qr{^\Q$sp\E/(?![/\\])[!-~]*$}, "'$shown' stays on this site");
            $url = landing($b, '/');
        } else {
            is($got->{status}, 400, "'$shown' is refused");
        }
        ok(!exists $got->{headers}{'x-evil'}, '  and adds no header');
    }
    $b = browser('carol');
    my $got = $b->get(landing($b, '/my/page', '&remoteurl=1'));
    is($got->{location}, "$idp/my/page", 'with remoteurl it leads back to the provider');
    ok(@{ $got->{cookies} }, '  with a session here');
    $b = browser('carol');
    $got = $b->get(landing($b, '/') =~ s/wantsurl=[^&]*/'wantsurl=' . Mnet::Network::escape('@evil.example')/er . '&remoteurl=1');
    ok($got->{status} == 400 || $got->{location} =~ m{^\Q$idp\E/}, '  and nowhere else');
};

subtest 'who may land' => sub {
    my $b = browser('bob');
    my $got = $b->get(landing($b, '/'));
    is($got->{status}, 403, 'MnetUserAccess deny');
    is_deeply($got->{cookies}, [], '  no session');
    ok($h->wait_log(qr/MNET08\d\d.*bob/), '  and a line that names the user');

    $b = browser('alice');
    my $url = landing($b, '/');
    $got = Mnet::Browser->new(agent => 'Another/2')->get($url);
    is($got->{status}, 403, 'a stolen token in another browser');
    ok($h->wait_log(qr/user_authorise by \Q$sp\E.*: 3 in|fault 3/), '  is told so by the provider');

    $b = browser('alice');
    $b->follow($n->jump(0, 1, '/')); # 404: there is no page, but a session
    my ($before) = values %{ $b->cookies };
    $b->{user} = 'carol:secret';
    $b->follow($n->jump(0, 1, '/'));
    my ($after) = values %{ $b->cookies };
    isnt($after, $before, 'landing as someone else makes another session');
    like($b->get("$sp/mnet/hosts?format=json")->{content}, qr/"username":"carol"/, '  which is theirs');
    my $old = Mnet::Browser->new;
    $old->set_cookie('mnet_session_' . $h->port(1), $before);
    like($old->get("$sp/mnet/hosts?format=json")->{content}, qr/"user":null/, '  and the one before is over');
    is(scalar keys %{ $b->cookies }, 1, 'no cookies pile up');
};

subtest 'the other application, and names in any script' => sub {
    my $got = Mnet::Browser->new->get($n->wwwroot(2) . '/auth/xmlrpc/land.php');
    is($got->{status}, 400, 'a Mahara has its own land page');
    my $b = Mnet::Browser->new(user => 'alice:secret', realm => $n->wwwroot(0));
    $got = $b->follow($n->jump(0, 2, '/view'));
    like($got->{trail}[1], qr{/auth/xmlrpc/land\.php\?}, '  where users arrive') or diag explain $got->{trail};
    is($got->{url}, $n->wwwroot(2) . '/view', '  and go on');
    like($b->get($n->wwwroot(2) . '/mnet/hosts?format=json')->{content}, qr/alice \xC3\x85ngstr\xC3\xB6m/, '  by their name');
};

ok(scalar(my @children = $h->children), 'the server is alive');
$h->stop;
done_testing;
