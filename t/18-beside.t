#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# Beside what else such a server carries: the front controller of an application in .htaccess, a
# proxy for "/", caches, compression and other filters, ErrorDocument, logs and server-status.

use strict;
use warnings;
use utf8;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Compress::Zlib ();
use File::Path qw(make_path);
use Test::More;
use Mnet::Harness;
use Mnet::SignOn;

my @NEEDED = qw(rewrite include proxy proxy_http cache cache_disk deflate filter substitute sed status expires access_compat request
    auth_form session session_cookie);
for my $module (@NEEDED) {
    plan skip_all => "this httpd has no mod_$module" if !-e Mnet::Harness::modules_dir() . "/mod_$module.so";
}

# An application of one script: who is there, and what it was asked for.  ?lasts=... is how long it
# says that its answer lasts.
binmode Test::More->builder->$_, ':encoding(UTF-8)' for qw(output failure_output);

my $FRONT = <<'CGI';
#!/usr/bin/perl
my %lasts = (expires => "Expires: Fri, 01 Jan 2038 00:00:00 GMT\n", age => "Cache-Control: max-age=600\n",
    modified => "Last-Modified: Mon, 01 Jan 2024 00:00:00 GMT\n", public => "Cache-Control: public, max-age=600\n");
print "Content-Type: text/plain; charset=utf-8\n",
    ($ENV{QUERY_STRING} =~ /lasts=(\w+)/ && $lasts{$1}) || '', "\n";
print "$_=", $ENV{$_} // '', "\n" for qw(REMOTE_USER MNET_USERNAME HTTP_X_MNET_USERNAME REQUEST_URI);
CGI

my ($back) = Mnet::Harness::free_ports(1);
my $t = Mnet::SignOn->start(styles => ['moodle'], sites => 3, modules => \@NEEDED, harness => { extra => sub {
    my ($h) = @_;
    return "Listen 127.0.0.1:$back\n<VirtualHost 127.0.0.1:$back>\nScriptAliasMatch .* " . $h->root . "/front.cgi\n</VirtualHost>\n";
} }, site => sub {
    my ($h, $i) = @_;
    my ($root, $docs) = ($h->root, $h->htdocs($i));
    make_path("$root/cache$i");
    chmod 0777, "$root/cache$i";
    for my $file ("$root/front.cgi", "$docs/index.cgi") {
        Mnet::Harness::write_file($file, $FRONT);
        chmod 0755, $file;
    }
    Mnet::Harness::write_file("$docs/.htaccess", "FallbackResource /index.cgi\n") if $i == 2;
    Mnet::Harness::write_file("$docs/.htaccess", <<'HTACCESS') if $i == 0;
Options -Indexes
RewriteEngine On
RewriteBase /
RewriteCond %{REQUEST_FILENAME} !-f
RewriteCond %{REQUEST_FILENAME} !-d
RewriteRule . index.cgi [L]
HTACCESS
    # SignOn's own scripts are outside of the application.
    my $proxy = $i == 1 ? "ProxyPass /app !\nProxyPass / http://127.0.0.1:$back/\nCacheQuickHandler Off\n" : '';
    return <<"CONF";
$proxy
<Directory "$docs">
    AllowOverride All
    Options +ExecCGI +FollowSymLinks
    AddHandler cgi-script .cgi
</Directory>
<Location "/members">
    AuthType Mnet
    Require valid-user
    MnetPassAttributes both
</Location>
<Location "/news">
    MnetAuthOptional On
    MnetPassAttributes both
</Location>
CacheRoot "$root/cache$i"
CacheEnable disk "/"
CacheHeader On
CacheDefaultExpire 600
LogFormat "%h %u \\"%r\\" %>s %{MNET_USERNAME}e %{MNET_FIRSTNAME}e" mine
CustomLog logs/access$i.log mine
CustomLog "|\$/bin/cat >> $root/logs/piped$i.log" mine
MnetPortfolioDir $root/portfolio$i
<Location "/server-status">
    SetHandler server-status
</Location>
CONF
});
my ($h, $moodle) = ($t->harness, $t->peer('moodle'));
$moodle->learn($h->wwwroot($_), 'moodle') for 1, 2;
$moodle->user($_, firstname => ucfirst, lastname => 'B', email => "$_\@example.org") for qw(alice bob);

# Somebody who came to site $i.
sub enter {
    my ($user, $i) = @_;
    my $b = $t->visitor;
    $moodle->enter($b, $user);
    my $got = $b->follow($moodle->jump_url($h->wwwroot($i), '/app'));
    is($got->{status}, 200, "$user is in") or diag explain $got;
    return $b;
}

my @kinds = ('a front controller in .htaccess', 'a proxy for "/"', 'a FallbackResource');
for my $i (0 .. 2) {
    my $site = $h->wwwroot($i);
    subtest $kinds[$i] => sub {
        my $b = enter('alice', $i);
        my $got = $b->get("$site/members/deep/page?a=1");
        is($got->{status}, 200, 'a page of the application');
        my $told = $t->told($got);
        like($i == 1 ? $told->{HTTP_X_MNET_USERNAME} : $told->{REMOTE_USER}, qr/^alice/, '  which knows her') or diag $got->{content};
        is($t->visitor->get("$site/members/deep/page")->{status}, 303, '  and is for nobody else');
        like($b->get("$site/elsewhere")->{content}, qr/^REMOTE_USER=$/m, 'elsewhere nobody is known');
        like($b->get("$site/news/1")->{content}, qr/USERNAME=alice$/m, 'but where it is optional');
        is($h->http(GET => "$site/mnet/publickey.php")->{status}, 200, 'our own paths are ours');
        is($b->get("$site/mnet/hosts")->{status}, 200, '  the page of sites');
        my $reply = $moodle->call($site, 'system/listServices');
        ok($reply->{envelope}{verified}, '  the server');
        $got = $b->get("$site/mnet/logout", 'Sec-Fetch-Site' => 'same-origin');
        like($got->{content}, qr/You are logged out/, '  and what SetHandler names') or diag $got->{content};
        is($b->get("$site/members/deep/page")->{status}, 303, '    she is out');
    };
}

subtest 'a cache in front of pages of users' => sub {
    for my $i (0 .. 2) {
        my $site = $h->wwwroot($i);
        my ($alice, $bob, $nobody) = (enter('alice', $i), enter('bob', $i), $t->visitor);
        for my $lasts (qw(not modified expires age)) {
            my $url = "$site/members/page?lasts=$lasts";
            my $got;
            $got = $alice->get($url) for 1, 2;
            like($got->{content}, qr/USERNAME=alice$/m, "$kinds[$i], lasts $lasts: alice sees her own");
            like($got->{headers}{'cache-control'} // '', qr/(?:^|, )private$/, '  which is private');
            like($bob->get($url)->{content}, qr/USERNAME=bob$/m, '  bob his');
            is($nobody->get($url)->{status}, 303, '  and nobody any');
            $url = "$site/news/page?lasts=$lasts";
            unlike($nobody->get($url)->{content}, qr/USERNAME=\w/, '  a page for everybody: nobody is known');
            like($alice->get($url)->{content}, qr/USERNAME=alice$/m, '    alice is, all the same');
            unlike($nobody->get($url)->{content}, qr/USERNAME=\w/, '    and nobody sees hers');
        }
        my $got = $alice->get("$site/members/page?lasts=public");
        is($got->{headers}{'cache-control'}, 'public, max-age=600', '  what the application calls public stays so');
        like($alice->get("$site/elsewhere?lasts=age")->{headers}{'cache-control'}, qr/^max-age=600$/, '  and what is nobody\'s is as it was');
    }
};

my @filters = ("AddOutputFilterByType DEFLATE text/xml text/plain text/html application/zip\n", "SetOutputFilter DEFLATE\n",
    "SetOutputFilter SUBSTITUTE;DEFLATE\nSubstitute \"s|a|b|\"\n", "AddOutputFilterByType SUBSTITUTE text/xml text/plain text/html\nSubstitute \"s|e|f|\"\n",
    "SetOutputFilter SED\nOutputSed \"s/e/f/g\"\n", "ExpiresActive On\nExpiresDefault \"access plus 1 month\"\nHeader set Cache-Control \"max-age=3600\"\n");
subtest 'filters for answers' => sub {
    for my $filter (@filters) {
        my ($name) = $filter =~ /^(.*)/;
        $h->configure(extra => "<Location />\n$filter</Location>\n", modules => [@{ $h->{modules} }]);
        $h->graceful;
        my $reply = $moodle->call($t->site, 'system/listServices', [], header => ['Accept-Encoding: gzip']);
        ok($reply->{envelope}{verified}, "$name: a sealed answer is whole") or diag explain $reply;
        is($reply->{headers}{'content-encoding'}, undef, '  and not compressed');
        like($h->http(GET => $h->url(0, '/mnet/publickey.php'))->{content}, qr/\A-----BEGIN CERTIFICATE-----/, '  the key is, too');
        my $got = $t->visitor->get($t->site . '/mnet/hosts', 'Accept-Encoding' => 'gzip');
        my $zipped = ($got->{headers}{'content-encoding'} // '') eq 'gzip';
        is($zipped, $filter =~ /DEFLATE/, '  a page for people is compressed where that is asked for');
        like($zipped ? Compress::Zlib::memGunzip($got->{content}) : $got->{content}, qr{</html>\s*\z}, '  and whole') if $filter !~ /Sed|Substitute/;
        my $b = enter('alice', 0);
        $got = $b->get($t->site . '/members/x');
        like($got->{headers}{'cache-control'}, qr/private$/, '  and hers stays hers') if $filter =~ /Header set/;
    }
};

subtest 'a cache, and what is inside of a page' => sub {
    my $docs = $h->htdocs(0);
    make_path("$docs/inc");
    my $include = qq(<!--#include virtual="/inc/who.cgi" -->\n);
    my %page = ('page.shtml' => "hello $include", 'first.shtml' => $include, 'late.shtml' => 'hello ' x 50_000 . $include,
        'news.shtml' => qq(<!--#include virtual="/inc/news.cgi" -->\n), 'plain.shtml' => qq(<!--#include virtual="/inc/plain.cgi" -->\n),
        'list/index.shtml' => "an index\n$include", 'err.shtml' => "no such page: $include");
    make_path("$docs/list");
    Mnet::Harness::write_file("$docs/$_", $page{$_}) for keys %page;
    for my $file (map { "$docs/inc/$_.cgi" } qw(who news plain)) {
        Mnet::Harness::write_file($file, $FRONT);
        chmod 0755, $file;
    }
    $h->configure(extra => <<"CONF");
<Directory "$docs">
    Options +Includes
    AddType text/html .shtml
    AddOutputFilter INCLUDES .shtml
    DirectoryIndex index.shtml
</Directory>
CacheIgnoreNoLastMod On
<Location "/inc/who.cgi">
    AuthType Mnet
    Require valid-user
</Location>
<Location "/inc/news.cgi">
    MnetAuthOptional On
</Location>
<Location "/list/index.shtml">
    AuthType Mnet
    Require valid-user
</Location>
<Location "/me">
    AuthType Mnet
    Require valid-user
    RewriteEngine On
    RewriteRule .* /home/%{REMOTE_USER} [R=301,L]
</Location>
<Location "/deny">
    AuthType Mnet
    Require user nobody-at-all
    ErrorDocument 403 "not for you"
</Location>
<Location "/lost">
    ErrorDocument 404 /err.shtml
    RewriteEngine On
    RewriteRule .* - [R=404,L]
</Location>
CONF
    $h->graceful;
    my $site = $h->wwwroot(0);
    my ($alice, $bob, $nobody) = (enter('alice', 0), enter('bob', 0), $t->visitor);
    for my $path (qw(/page.shtml /first.shtml /late.shtml /list/ /lost/x)) {
        my $got = $alice->get("$site$path");
        like($got->{content}, qr/REMOTE_USER=alice/, "$path: alice sees her own") or diag substr $got->{content}, 0, 300;
        like($got->{headers}{'cache-control'} // '', qr/(?:^|, )private$/, '  which is private');
        unlike($nobody->get("$site$path")->{content}, qr/REMOTE_USER=\w/, '  nobody sees it');
        like($bob->get("$site$path")->{content}, qr/REMOTE_USER=bob/, '  bob his');
    }
    unlike($nobody->get("$site/news.shtml")->{content}, qr/USERNAME=\w/, 'what is optional: nobody is known');
    like($alice->get("$site/news.shtml")->{content}, qr/USERNAME=alice/, '  alice is, all the same');
    unlike($nobody->get("$site/news.shtml")->{content}, qr/USERNAME=\w/, '  and nobody sees hers');
    my $plain = $nobody->get("$site/plain.shtml")->{headers};
    ok(!defined $plain->{'cache-control'} && !defined $plain->{vary}, 'a page that is nobody\'s is as it was');
    is($alice->get("$site/elsewhere?lasts=age")->{headers}{'cache-control'}, 'max-age=600', '  also for her');
    my $got = $alice->get("$site/me/x");
    is($got->{status}, 301, 'a redirect that is hers');
    like($got->{headers}{'cache-control'} // '', qr/(?:^|, )private$/, '  is private');
    $got = $alice->get("$site/deny/x");
    is($got->{status}, 403, 'a refusal of hers');
    like($got->{headers}{'cache-control'} // '', qr/private|no-store/, '  too');
};

subtest 'other ways to be let in' => sub {
    my $basic = 'AuthName users' . "\nAuthUserFile " . $h->root . "/conf/users\nRequire valid-user\n";
    $h->configure(extra => <<"CONF");
<Location "/any/far">
    AuthType Mnet
    Require valid-user
    Satisfy Any
    Order deny,allow
    Deny from all
    Allow from 192.0.2.1
</Location>
<Location "/any/near">
    AuthType Mnet
    Require valid-user
    Satisfy Any
    Order deny,allow
    Deny from all
    Allow from 127.0.0.1
</Location>
<Location "/some">
    AuthType Mnet
    <RequireAny>
        Require ip 192.0.2.1
        Require mnet-username alice
    </RequireAny>
</Location>
<Location "/form">
    AuthType form
    AuthFormProvider file
    AuthFormLoginRequiredLocation /login.html
    Session On
    SessionCookieName other path=/
    $basic
</Location>
<Location "/form/mnet">
    AuthType Mnet
</Location>
<Location "/basic">
    AuthType Basic
    AuthBasicProvider file
    $basic
</Location>
CONF
    $h->graceful;
    my ($alice, $bob, $nobody) = (enter('alice', 0), enter('bob', 0), $t->visitor);
    for my $case (['/any/far/x', 200, 200, 303], ['/any/near/x', 200, 200, 200], ['/some/x', 200, 403, 303], ['/form/x', 302, 302, 302],
        ['/form/mnet/x', 200, 200, 303], ['/basic/x', 401, 401, 401]) {
        my ($path, @expected) = @$case;
        is_deeply([map { $_->get($t->site . $path)->{status} } $alice, $bob, $nobody], \@expected, "$path: alice, bob and nobody")
            or diag explain $nobody->get($t->site . $path);
    }
};

subtest 'redirects inside httpd' => sub {
    my $docs = $h->htdocs(0);
    make_path("$docs/$_") for qw(hop none);
    for my $file ("$docs/hop/index.cgi", "$docs/none/index.cgi", "$docs/one.cgi") {
        Mnet::Harness::write_file($file, $FRONT);
        chmod 0755, $file;
    }
    $h->configure(extra => <<"CONF");
<LocationMatch "^/(?:off|on)/">
    AuthType Mnet
    Require valid-user
</LocationMatch>
<Location "/off">
    MnetPassAttributes none
</Location>
<Location "/none">
    AuthType None
    Require all granted
</Location>
CONF
    # After configure, which writes that of every other test here.
    Mnet::Harness::write_file("$docs/.htaccess", <<'HTACCESS');
RewriteEngine On
RewriteBase /
RewriteRule ^(?:off|on)/one /one.cgi [L]
RewriteRule ^(?:off|on)/two /hop/ [L]
RewriteRule ^(?:off|on)/none /none/ [L]
DirectoryIndex index.cgi
HTACCESS
    $h->graceful;
    my $alice = enter('alice', 0);
    for my $case (['/on/one', 1, 1], ['/on/two', 1, 1], ['/on/none', 0, 0], ['/off/one', 1, 0], ['/off/two', 1, 0], ['/off/none', 0, 0]) {
        my ($path, $user, $attributes) = @$case;
        my $got = $alice->get($t->site . $path);
        is($got->{status}, 200, $path);
        my $told = $t->told($got);
        is($told->{REMOTE_USER} =~ /^alice/ ? 1 : 0, $user, $user ? '  the script knows her' : '  AuthType None: the script does not know her');
        is($told->{MNET_USERNAME} // '', $attributes ? 'alice' : '', $attributes ? '  by variables' : '  without variables');
    }
};

subtest 'ErrorDocument' => sub {
    Mnet::Harness::write_file($h->htdocs(0) . '/error.html', "the site's own page\n");
    $h->configure(extra => join '', map { "ErrorDocument $_ /error.html\n" } 400, 401, 403, 404, 405, 413, 415, 429, 500, 502, 503);
    $h->graceful;
    my $url = $t->site . '/mnet/xmlrpc/server.php';
    for my $case (['a GET' => GET => {}, undef, 405], ['junk' => POST => {}, 'junk', 200],
        ['a compressed one' => POST => { 'Content-Encoding' => 'gzip' }, 'x', 415], ['too much' => POST => {}, 'x' x 11_000_000, 413]) {
        my ($name, $method, $headers, $body, $status) = @$case;
        my $got = $h->http($method => $url, $headers, $body);
        is($got->{status}, $status, "the server: $name");
        unlike($got->{content}, qr/own page/, '  is answered by us');
    }
    my $reply = $moodle->call($t->site, 'no/such/thing.php/at_all'); is($reply->{fault}{code}, 7012, '  a fault is a fault');
    like($t->visitor->get($t->site . '/auth/mnet/land.php?token=x')->{content}, qr/Back|first page/, 'a landing that fails has our page, with a way back');
    like($h->http(GET => $t->site . '/mnet/file?token=x')->{content}, qr/no such package/, 'a package that is none, our answer');
};

subtest 'logs and server-status' => sub {
    my $token = 'abcdef0123' x 4;
    is($h->http(GET => $t->site . "/mnet/file?token=$token&id=1")->{status}, 404, 'a package by its token');
    unlike($h->http(GET => $t->site . '/server-status')->{content}, qr/abcdef0123/, '  which server-status does not show');
    my $name = qq(eve" 200 "x %s é);
    $moodle->user($name, firstname => qq(E\nve\t"GET / HTTP/1.1" 200), lastname => 'B', email => 'eve@example.org');
    my $b = enter($name, 0);
    $b->get($t->site . '/members/x');
    for my $log (qw(access0 piped0)) {
        my @lines;
        Mnet::Harness::wait_for(sub {
            @lines = split /\n/, Mnet::Harness::slurp($h->root . "/logs/$log.log");
            grep { m{/members/x} && /eve/ } @lines;
        });
        ok(!(grep { !/^127\.0\.0\.1 / } @lines), "$log.log: each line is one of httpd's");
        my ($hers) = grep { m{/members/x} && /eve/ } @lines;
        like($hers, qr/^127\.0\.0\.1 eve\\" 200 \\"x %s/, '  quotes of a name are escaped') or diag explain \@lines;
        like($hers, qr{Eve\\"GET / HTTP/1\.1\\" 200$}, '  and what would end a line in an attribute is gone');
        unlike(join('', @lines), qr/[^\x20-\x7e]/, '  and nothing is left that a terminal would obey');
        ok(!(grep { /abcdef0123/ } @lines), '  no token of a package');
    }
};
$h->expect_log(qr/AH01630|authz_core|AH01797|unable to include/);
$h->stop;
done_testing;
