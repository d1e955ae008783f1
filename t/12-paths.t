#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# Our paths are ours, whatever else is configured for them: real files, php-fpm, proxies, rewrites,
# aliases, handlers, .htaccess.  What is beside them stays with whoever has it.

use strict;
use warnings;
use FindBin qw($Bin);
use lib "$Bin/lib";
use File::Path qw(make_path);
use Test::More;
use Mnet::Harness;

my $KEY = qr/\A-----BEGIN CERTIFICATE-----/;
my $CALL = '<?xml version="1.0"?><methodCall><methodName>system/keyswap</methodName><params/></methodCall>';

# name => [configuration of the virtual host, what a request beside ours gets]
my @cases = (
    ['a real file' => '', 200],
    ['php-fpm by FilesMatch' => '<FilesMatch "\.php$">' . "\nSetHandler \"proxy:fcgi://127.0.0.1:1\"\n</FilesMatch>", 503],
    ['php-fpm by its socket' => '<FilesMatch "\.php$">' . "\nSetHandler \"proxy:unix:/nowhere.sock|fcgi://localhost\"\n</FilesMatch>", 503],
    ['ProxyPass /' => 'ProxyPass "/" "http://127.0.0.1:1/"', 503],
    ['ProxyPass before decoding' => 'ProxyPass "/" "http://127.0.0.1:1/" mapping=encoded', 503],
    ['ProxyPassMatch' => 'ProxyPassMatch "^/(.*\.php)$" "fcgi://127.0.0.1:1/srv/$1"', 503],
    ['ProxyPass in Location' => "<Location />\nProxyPass http://127.0.0.1:1/\n</Location>", 503],
    ['a rewrite that forbids' => "RewriteEngine On\nRewriteRule ^ - [F]", 403],
    ['a rewrite elsewhere' => "RewriteEngine On\nRewriteRule ^ /elsewhere [L,PT]", 404],
    ['a rewrite to a proxy' => "RewriteEngine On\nRewriteRule ^/(.*)\$ http://127.0.0.1:1/\$1 [P]", 503],
    ['a redirect' => 'Redirect permanent "/" "https://elsewhere.example/"', 301],
    ['an alias' => 'Alias "/mnet" "/nowhere"', 404],
    ['a handler' => "<Location />\nSetHandler server-info\n</Location>", 200],
    ['a handler that proxies' => "<Location />\nSetHandler \"proxy:http://127.0.0.1:1\"\n</Location>", 503],
    ['a closed directory' => "<Directory />\nRequire all denied\n</Directory>", 403],
    ['.htaccess that rewrites' => '', 403, "RewriteEngine On\nRewriteRule ^ - [F]\n"],
    ['.htaccess that routes all to a script' => '', 404,
        "RewriteEngine On\nRewriteCond %{REQUEST_FILENAME} !index.php\nRewriteRule ^ /index.php [L]\n"],
    ['.htaccess that denies' => '', 403, "Require all denied\n"],
    ['.htaccess that is broken' => '', 500, "NoSuchDirective\n"],
    ['a type by AddHandler' => 'AddHandler cgi-script .php', 403],
    ['compression' => "SetOutputFilter DEFLATE", 200],
    ['a limit on bodies' => "LimitRequestBody 10", 200],
    ['a limit on bodies in Location' => "<Location />\nLimitRequestBody 10\n</Location>", 200],
    ['inclusions' => "Options +Includes\nAddOutputFilter INCLUDES .php", 200],
);

my $h = Mnet::Harness->new(sites => scalar @cases,
    modules => [qw(alias rewrite proxy proxy_http proxy_fcgi dir mime cgid deflate filter include info headers)],
    site_config => sub {
        my ($harness, $i) = @_;
        my $dir = $harness->htdocs($i);
        make_path("$dir/mnet/xmlrpc");
        Mnet::Harness::write_file("$dir/mnet/$_", "a file\n") for qw(publickey.php other.php xmlrpc/server.php);
        Mnet::Harness::write_file("$dir/.htaccess", $cases[$i][3]) if $cases[$i][3];
        return "<Directory $dir>\nAllowOverride All\nOptions +FollowSymLinks\n</Directory>\n$cases[$i][1]";
    });
$h->expect_log(qr/\[(?:proxy|proxy_http|proxy_fcgi|rewrite|authz_core|cgid|core):(?:error|alert)\]/);
$h->start;

for my $i (0 .. $#cases) {
    my ($name, $config, $beside) = @{ $cases[$i] };
    subtest $name => sub {
        my $got = $h->http(GET => $h->url($i, '/mnet/publickey.php'));
        is($got->{status}, 200, 'publickey.php');
        like($got->{content}, $KEY, '  is ours');
        $got = $h->http(POST => $h->url($i, '/mnet/xmlrpc/server.php'),
            { 'Content-Type' => 'text/xml charset=UTF-8', 'Accept-Encoding' => 'gzip' }, $CALL);
        is($got->{status}, 200, 'server.php');
        like($got->{content}, qr/<methodResponse>/, '  is ours') or diag $got->{content};
        is($h->http(GET => $h->url($i, '/mnet/xmlrpc/server.php?a=b'))->{status}, 405, '  with a query, too');
        $got = $h->http(POST => $h->url($i, '/mnet/xmlrpc/%73erver.php'), {}, $CALL);
        like($got->{content}, qr/<methodResponse>/, '  and written another way');
        is($h->http(GET => $h->url($i, '/auth/mnet/land.php'))->{status}, 400, 'land.php');
        is($h->http(GET => $h->url($i, '/auth/mnet/jump.php'))->{status}, 403, 'jump.php');
        like($h->http(GET => $h->url($i, '/mnet/hosts'))->{content}, qr/You are not logged in/, 'hosts');
        is($h->http(GET => $h->url($i, '/mnet/other.php'))->{status}, $beside, 'what is beside it is not');
    };
}

my $last = $#cases;
for my $path ('/mnet/publickey.php/x', '/mnet/publickey.phpx', '/MNET/publickey.php', '/mnet/xmlrpc/server.php/') {
    unlike($h->http(GET => $h->url(0, $path))->{content}, qr/CERTIFICATE|MNET server/, "$path is not ours");
}
like($h->http(GET => $h->url(0, '/mnet/x/../publickey.php'))->{content}, $KEY, 'a path is what it comes to');

# One request inside another.
my $dir = $h->htdocs($last);
Mnet::Harness::write_file("$dir/page.php", '<!--#include virtual="/mnet/publickey.php"-->');
like($h->http(GET => $h->url($last, '/page.php'))->{content}, $KEY, 'a subrequest gets our answer');
$h->configure(site_config => sub { return "ErrorDocument 404 /mnet/publickey.php\nDirectoryIndex publickey.php\n" });
$h->graceful;
my $got = $h->http(GET => $h->url(0, '/nowhere'));
is($got->{status}, 404, 'an internal redirect keeps its status');
like($got->{content}, $KEY, '  and gets our answer');
unlike($h->http(GET => $h->url(0, '/mnet/'))->{status}, qr/^5/, 'a directory whose index is ours');

$h->configure(path => '/sub/moodle', site_config => 'MnetApplication mahara moodle', sites => 1);
$h->graceful;
for my $path ('/sub/moodle/mnet/publickey.php', '/sub/moodle/api/xmlrpc/publickey.php') {
    like($h->http(GET => $h->url(0, $path))->{content}, $KEY, "below the wwwroot's path: $path");
}
is($h->http(GET => $h->url(0, '/sub/moodle/api/xmlrpc/server.php'))->{status}, 405, '  the server, too');
unlike($h->http(GET => $h->url(0, '/mnet/publickey.php'))->{content}, $KEY, '  and not above it');
$h->configure(path => '/sub', site_config => sub {
    return "<Location /sub>\nAuthType Basic\nAuthName x\nRequire all denied\n</Location>" });
$h->graceful;
is($h->http(GET => $h->url(0, '/sub/mnet/publickey.php'))->{status}, 403, 'access control of a <Location> holds for us as well');
$h->stop;
done_testing;
