#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# The recipes of docs/recipes, as they are printed: each block marked apache is loaded, with the names and
# paths of the test put in, and driven.  A small PHP page, or a CGI, stands in for the application.

use strict;
use warnings;
use utf8;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Digest::SHA qw(sha1_base64);
use Encode qw(decode_utf8 encode_utf8);
use POSIX qw(WNOHANG);
use Test::More;
use Mnet::Browser;
use Mnet::Harness;
use Mnet::PhpPeer;

my $missing = Mnet::PhpPeer->missing;
plan skip_all => $missing if $missing;
binmode Test::More->builder->$_, ':utf8' for qw(output failure_output todo_output);

my @MODULES = qw(alias dir mime env setenvif headers auth_basic authn_file authz_user authz_host cgid proxy proxy_http
    proxy_fcgi rewrite);
my %peer = map { $_ => Mnet::PhpPeer->start(style => $_) } qw(moodle mahara);
$_->user('alice', firstname => 'Alice', lastname => 'Ångström 漢字', email => 'alice@example.org', city => 'Wellington')
    for values %peer;
my %tested;

# The block of a recipe that is marked so.
sub block {
    my ($name, $mark) = @_;
    $tested{"$name " . ($mark // '')} = 1;
    my $text = Mnet::Harness::slurp("$Bin/../docs/recipes/$name.md");
    my $after = defined $mark ? " $mark" : '';
    my @found = $text =~ /^```apache$after\n(.*?)^```$/msg;
    is(scalar @found, 1, "$name: one such block");
    return $found[0];
}

sub host { my ($wwwroot) = @_; return $wwwroot =~ s{^http://}{}r }

# --- the application -----------------------------------------------------------------------------

my $fpm;

# PHP under php-fpm; its socket.
sub php {
    my ($h) = @_;
    my $binary = Mnet::PhpPeer::fpm_binary() or return;
    my $root = $h->root;
    my $user = $> == 0 ? "user = www-data\ngroup = www-data\nlisten.owner = www-data\n" : '';
    Mnet::Harness::write_file("$root/fpm.conf", "[global]\nerror_log = $root/logs/fpm.log\ndaemonize = no\n[app]\n$user"
        . "listen = $root/fpm.sock\nlisten.mode = 0666\npm = static\npm.max_children = 2\n");
    local $ENV{MNET_ASAN}; # PHP's extensions cannot be loaded under it
    $fpm = $h->spawn("$root/logs/fpm.out", "$root/logs/fpm.out", $binary, '-F', '-y', "$root/fpm.conf");
    Mnet::Harness::wait_for(sub { -S "$root/fpm.sock" }) or die 'php-fpm did not start';
    return "$root/fpm.sock";
}

sub stop_php {
    return if !$fpm;
    kill 'TERM', $fpm;
    waitpid $fpm, 0;
    undef $fpm;
    return;
}

END { stop_php() if $fpm }

my $PAGE = <<'PHP';
<?php
header('Content-Type: text/plain; charset=utf-8');
foreach (['REMOTE_USER', 'MNET_USERNAME', 'MNET_PEER', 'MNET_FIRSTNAME', 'MNET_LASTNAME', 'MNET_EMAIL', 'MNET_CITY'] as $name) {
    echo $name, '=', $_SERVER[$name] ?? '', "\n";
}
PHP

sub told {
    my ($got) = @_;
    return { map { /^([\w-]+)=(.*)$/ ? ($1 => $2) : () } split /\n/, decode_utf8($got->{content}) };
}

# A site with that text in its virtual host; a second one, bare, if asked for.
sub site {
    my ($text, %o) = @_;
    my $h;
    my $put = sub {
        my ($made) = @_;
        my $own = $made->wwwroot(0);
        $text =~ s{https://portal\.example\.org}{$own}g;
        for my $style (keys %peer) {
            my $url = $peer{$style}->wwwroot;
            $text =~ s{https://$style\.example\.org}{$url}g;
            $text =~ s{conf/$style\.pem}{$peer{$style}->pem_file}ge;
        }
        my $docs = $made->htdocs(0);
        $text =~ s{/var/www/app}{$docs}g;
        $text =~ s{/run/php/php-fpm\.sock}{$made->root . '/fpm.sock'}ge;
        $text =~ s{http://127\.0\.0\.1:8080}{$made->url(1)}ge if $o{backend};
        return $text;
    };
    $h = Mnet::Harness->new(bare => 1, sites => $o{backend} ? 2 : 1, modules => [@MODULES, @{ $o{modules} || [] }],
        config => "MnetTimeout 5s\n", site_config => sub {
            my ($made, $i) = @_;
            Mnet::Harness::write_file($made->root . '/conf/users', 'alice:{SHA}' . sha1_base64('secret') . "=\n");
            return $i ? $o{backend}->($made) : $put->($made) . "\n" . ($o{more} // '');
        });
    return $h if $o{only};
    my ($exit, $said) = $h->configtest;
    is($exit, 0, 'the configuration is understood') or diag $said;
    php($h) if $text =~ /fpm\.sock/;
    $h->start;
    $_->learn($h->wwwroot(0), 'moodle') for values %peer;
    return $h;
}

sub page {
    my ($h, $path) = @_;
    my $file = $h->htdocs(0) . $path;
    File::Path::make_path($file =~ s{/[^/]+$}{}r);
    Mnet::Harness::write_file($file, $PAGE);
    return;
}

# --- recipes -------------------------------------------------------------------------------------

subtest 'remote-user.md' => sub {
    plan skip_all => 'there is no php-fpm' if !Mnet::PhpPeer::fpm_binary();
    my $h = site(block('remote-user'));
    $h->expect_log(qr/AH01631: user bob/); # httpd's own word for one who may not
    page($h, "/$_") for qw(index.php admin/index.php news/index.php);
    my $moodle = $peer{moodle};
    my $b = Mnet::Browser->new;
    my $got = $b->get($h->url(0, '/index.php?a=1'));
    is($got->{status}, 303, 'without a session: to log in');
    like($got->{location}, qr{^\Q@{[$moodle->wwwroot]}\E/auth/mnet/jump\.php}, '  at the Moodle');
    is($b->get($h->url(0, '/index.php'), Accept => 'application/json')->{status}, 401, 'a script: 401');
    is($b->get($h->url(0, '/mnet/xmlrpc/server.php'))->{status}, 405, 'our own paths need no session');
    my $news = $b->get($h->url(0, '/news/index.php'));
    is($news->{status}, 200, 'the news are for everybody');
    is(told($news)->{REMOTE_USER}, '', '  who is nobody');
    $moodle->enter($b, 'alice');
    $got = $b->follow($h->url(0, '/index.php?a=1'));
    is($got->{url}, $h->url(0, '/index.php?a=1'), 'logged in, and back where she was going');
    my $told = told($got);
    is($told->{REMOTE_USER}, 'alice@' . host($moodle->wwwroot), 'REMOTE_USER');
    is($told->{MNET_LASTNAME}, 'Ångström 漢字', '  and her name, whole');
    is(told($b->get($h->url(0, '/news/index.php')))->{MNET_USERNAME}, 'alice', 'the news know her as well');
    is($b->get($h->url(0, '/admin/index.php'))->{status}, 200, 'an attribute opens a door');
    $moodle->user('bob', firstname => 'Bob', lastname => 'B', email => 'b@example.org', city => 'Oxford');
    my $bob = Mnet::Browser->new;
    $moodle->enter($bob, 'bob');
    is($bob->follow($h->url(0, '/index.php'))->{status}, 200, 'bob is in');
    is($bob->get($h->url(0, '/admin/index.php'))->{status}, 403, '  but not everywhere');
    is($b->get($h->url(0, '/mnet/logout'), 'Sec-Fetch-Site' => 'same-origin')->{status}, 200, 'she logs out');
    is($b->get($h->url(0, '/index.php'))->{status}, 303, '  and is out');
    $h->stop;
    stop_php();
};

subtest 'moodle.md' => sub {
    plan skip_all => 'there is no php-fpm' if !Mnet::PhpPeer::fpm_binary();
    my $h = site(block('moodle'));
    my $mahara = $peer{mahara};
    page($h, '/auth/shibboleth/index.php');
    page($h, "/$_") for qw(index.php mnet/xmlrpc/server.php auth/mnet/land.php);
    my $b = Mnet::Browser->new;
    is($b->get($h->url(0, '/index.php'))->{status}, 200, "the Moodle's own pages are as they were");
    is(told($b->get($h->url(0, '/index.php')))->{REMOTE_USER}, '', '  and know nobody');
    is($b->get($h->url(0, '/auth/mnet/land.php'))->{status}, 400, 'this module answers in its place');
    $mahara->enter($b, 'alice');
    my $url = $h->url(0, '/auth/shibboleth/index.php?a=1&b=c+d&e=%26%25%C3%A9');
    my $got = $b->follow($url);
    is($got->{url}, $url, 'logged in at the Mahara, and back') or diag explain $got;
    my $told = told($got);
    is($told->{REMOTE_USER}, 'alice@' . host($mahara->wwwroot), 'the plugin sees the user');
    is($told->{MNET_FIRSTNAME}, 'Alice', '  the first name');
    is($told->{MNET_LASTNAME}, 'Ångström 漢字', '  the last name');
    is($told->{MNET_EMAIL}, 'alice@example.org', '  the address');
    is($told->{MNET_CITY}, 'Wellington', '  the city');
    is($b->get($h->url(0, '/mnet/logout'), 'Sec-Fetch-Site' => 'same-origin')->{status}, 200, 'the logout handler');
    is($b->get($h->url(0, '/auth/shibboleth/index.php'))->{status}, 303, '  ends the session');
    $h->stop;
    stop_php();
};

subtest 'mahara.md' => sub {
    my $text = block('mahara');
    my $h = site($text);
    my ($moodle, $mahara, $own) = ($peer{moodle}, $peer{mahara}, $h->wwwroot(0));
    my $b = Mnet::Browser->new;
    $moodle->enter($b, 'alice');
    my ($link) = Mnet::Harness::slurp("$Bin/../docs/recipes/mahara.md") =~ m{^    (https://moodle\S+)}m;
    my %escaped = ('https://portal.example.org' => Mnet::PhpPeer::escape($own),
        'https%253A%252F%252Fmahara.example.org' => Mnet::PhpPeer::escape(Mnet::PhpPeer::escape($mahara->wwwroot)),
        'https://moodle.example.org' => $moodle->wwwroot);
    $link =~ s/\Q$_\E/$escaped{$_}/ for keys %escaped;
    my $got = $b->follow($link);
    is($got->{status}, 200, 'one click') or diag explain $got;
    like($got->{url}, qr{^\Q@{[$mahara->wwwroot]}\E/}, '  from the Moodle into the Mahara');
    my $name = 'alice@' . host($moodle->wwwroot);
    my $arrived = $mahara->arrived($name, $own);
    is($arrived->{profile}{lastname}, 'Ångström 漢字', '  with the whole name') or diag explain $mahara->sign_on;
    is($arrived->{profile}{email}, 'alice@example.org', '  and address');
    my $stranger = Mnet::Browser->new;
    $got = $stranger->get("$own/auth/mnet/jump.php?hostwwwroot=" . $mahara->wwwroot);
    like($got->{location} // '', qr{^\Q@{[$moodle->wwwroot]}\E/auth/mnet/jump}, 'whoever has no session logs in at the Moodle');
    $b->follow($moodle->wwwroot . '/login/logout.php');
    like($b->get($mahara->wwwroot . '/')->{content}, qr/not logged in/, 'logged out at the Moodle: out of the Mahara as well');
    $h->stop;
};

subtest 'proxy.md' => sub {
    my $h = site(block('proxy'), backend => sub {
        my ($made) = @_;
        my $cgi = $made->root . '/echo.cgi';
        Mnet::Harness::write_file($cgi, "#!/usr/bin/perl\nprint qq(Content-Type: text/plain; charset=utf-8\\n\\n),"
            . " map { qq(\$_=\$ENV{\$_}\\n) } sort grep { /^HTTP_|^PATH_INFO/ } keys %ENV;\n");
        chmod 0755, $cgi;
        return "ScriptAlias /tool $cgi\n";
    });
    my ($port, $moodle) = ($h->port(0), $peer{moodle});
    my $b = Mnet::Browser->new;
    is($b->get($h->url(0, '/tool/x'))->{status}, 303, 'without a session: to log in');
    is($b->get($h->url(0, '/tool/x'), 'X-Remote-User' => 'root', 'X-Mnet-Username' => 'root', Accept => '*/*')->{status},
        401, 'a header is no way in');
    $moodle->enter($b, 'alice');
    my $got = $b->follow($h->url(0, '/tool/x'));
    my $told = told($got);
    is($got->{status}, 200, 'logged in, and through to the application') or diag explain $got;
    is($told->{PATH_INFO}, '/x', '  where she was going');
    is($told->{HTTP_X_REMOTE_USER}, 'alice@' . host($moodle->wwwroot), '  X-Remote-User');
    is($told->{HTTP_X_MNET_LASTNAME}, 'Ångström 漢字', '  her name in UTF-8');
    unlike($told->{HTTP_COOKIE} // '', qr/mnet_session/, '  not her session');
    $b->set_cookie(theme => 'dark');
    $told = told($b->get($h->url(0, '/tool/x'), 'X-Remote-User' => 'root', 'X-Mnet-Username' => 'root', 'X-Mnet-Role' => 'admin'));
    is($told->{HTTP_X_REMOTE_USER}, 'alice@' . host($moodle->wwwroot), 'what she makes up is replaced');
    is($told->{HTTP_X_MNET_USERNAME}, 'alice', '  each of it');
    is($told->{HTTP_X_MNET_ROLE}, undef, '  or dropped');
    like($told->{HTTP_COOKIE} // '', qr/theme=dark/, 'other cookies pass');
    unlike($told->{HTTP_COOKIE} // '', qr/mnet_session/, '  without ours among them');
    $h->stop;
};

# Basic stands in for another authentication; the variables that it would set are set.
sub goes_out {
    my ($text, $variables, $user, %expected) = @_;
    my $h = site($text, more => "<Location /auth/mnet/jump.php>\n"
        . join('', map { "SetEnv $_ \"" . encode_utf8($variables->{$_}) . "\"\n" } sort keys %$variables) . "</Location>\n");
    my $b = Mnet::Browser->new(user => 'alice:secret', realm => $h->wwwroot(0));
    my $hosts = $b->get($h->url(0, '/mnet/hosts'));
    is($hosts->{status}, 200, 'the page of sites');
    is(Mnet::Browser->new->get($h->url(0, "/$_"))->{status}, 401, "$_ is for users") for qw(mnet/hosts auth/mnet/jump.php);
    for my $style (grep { index($text, $_) >= 0 } sort keys %peer) {
        my ($link) = decode_utf8($hosts->{content}) =~ m{href="([^"]*jump\.php\?hostwwwroot=[^"]*?@{[$peer{$style}->wwwroot =~ /(\d+)$/]})"};
        ok($link, "it has a link to the $style") or next;
        my $got = $b->follow($link);
        is($got->{status}, 200, '  which leads there') or diag explain $got;
        my $profile = ($peer{$style}->arrived($user, $h->wwwroot(0)) || {})->{profile};
        is($profile->{$_}, $expected{$_}, "  $_ arrives") for sort keys %expected;
    }
    my $got = $b->post($h->url(0, '/mnet/logout'));
    is($got->{status}, 200, 'logged out');
    like(Mnet::Browser->new(jar => $b->{jar})->get($peer{moodle}->wwwroot . '/')->{content}, qr/not logged in/, '  at the Moodle as well');
    $h->stop;
    return;
}

subtest 'outward.md: LDAP' => sub {
    my $text = block('outward');
    SKIP: {
        skip 'mod_authnz_ldap is not installed', 1 if !-e Mnet::Harness::modules_dir() . '/mod_authnz_ldap.so';
        my ($exit, $said) = site($text, only => 1, modules => [qw(ldap authnz_ldap)])->configtest;
        is($exit, 0, 'as it is printed, httpd understands it') or diag $said;
    }
    ok($text =~ s/AuthBasicProvider ldap\n\s*AuthLDAPURL [^\n]+/AuthBasicProvider file\nAuthUserFile conf\/users/, 'a password file stands in');
    goes_out($text, { AUTHENTICATE_GIVENNAME => 'Alice', AUTHENTICATE_SN => 'Ångström', AUTHENTICATE_MAIL => 'Alice@Example.ORG',
        AUTHENTICATE_L => 'Göteborg' }, 'alice', firstname => 'Alice', lastname => 'Ångström', email => 'alice@example.org',
        city => 'Göteborg');
};

subtest 'outward.md: OpenID Connect' => sub {
    my $text = block('outward', 'oidc');
    ok($text =~ s/AuthType openid-connect/AuthType Basic\nAuthName x\nAuthBasicProvider file\nAuthUserFile conf\/users/, 'a password file stands in');
    goes_out($text, { OIDC_CLAIM_preferred_username => 'aliz', OIDC_CLAIM_given_name => 'Álice', OIDC_CLAIM_family_name => '漢字',
        OIDC_CLAIM_email => 'alice@example.org' }, 'aliz', firstname => 'Álice', lastname => '漢字', email => 'alice@example.org');
};

subtest 'no recipe is left out' => sub {
    for my $file (glob "$Bin/../docs/recipes/*.md") {
        my ($name) = $file =~ m{([^/]+)\.md$};
        for my $mark (Mnet::Harness::slurp($file) =~ /^```apache(?: (\w+))?$/msg) {
            ok($tested{"$name " . ($mark // '')} || !Mnet::PhpPeer::fpm_binary(), "$name " . ($mark // ''));
        }
    }
};

done_testing;
