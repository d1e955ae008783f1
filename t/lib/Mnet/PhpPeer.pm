# SPDX-License-Identifier: Apache-2.0
package Mnet::PhpPeer;

# A peer in PHP (t/peer) for the tests: it runs `php -S` on a free port of 127.0.0.1 as Moodle or Mahara
# would run, and calls as they would call.
#
#   my $why = Mnet::PhpPeer->missing;              # or undef: it can run here
#   my $peer = Mnet::PhpPeer->start(style => 'moodle' | 'moodle-old' | 'mahara',
#                                   tls => 1, path => '/below', name => 'Text', bits => 2048);
#   $peer->wwwroot, ->application, ->pem, ->pem_file, ->dir, ->ca_file (of its TLS)
#   $peer->section(%extra)                         # a <MnetPeer> for it; extra lines as NAME => VALUE
#   $peer->trust($wwwroot, $pem, $application)     # it knows the site now
#   $peer->learn($wwwroot, $application)           # ... by keyswap
#   $reply = $peer->call($to, $method, \@params, %options)   # as t/peer/client.php prints it
#   $reply = $peer->call_python(...)               # the document by Python's xmlrpc.client
#   $bytes = $peer->body($to, $method, \@params, %options)   # the request, not sent
#   $peer->user('alice', firstname => ..., lastname => ..., email => ...)   somebody who lives there
#   $peer->jump_url($sp, $wantsurl), ->login_url; a browser posts username=alice to the latter
#   $peer->enter($browser, 'alice')                # logs a Mnet::Browser in
#   $peer->arrived('alice', $idp)                  # who landed there: { profile, landings, ... }
#   $peer->sign_on                                 # all that it remembers of sign-on (t/peer/signon.php)
#   $peer->rotate, ->set(lie => 'garbage'), ->answer($method, $value), ->change(style => ...)
#   $peer->work_portfolio                          # fetches what it has queued: { taken, failed => [...] }
#   $peer->received                                # the packages it was sent (t/peer/portfolio.php)
#   $peer->state, ->requests, ->heard (how many), ->forget_requests, ->stop
#   Mnet::PhpPeer->start_fpm(wwwroot => $url, workers => 2)  under php-fpm; see there
#
# Options of call and body are those of client.php with _ for -, e.g. no_sign => 1, tamper =>
# 'cipher', header => ['Content-Type: text/plain'].

use strict;
use warnings;
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use IO::Socket::INET;
use JSON::PP;
use POSIX qw(WNOHANG);
use Time::HiRes qw(sleep time);

my $HERE = abs_path(dirname(__FILE__) . '/../../peer');
my $JSON = JSON::PP->new->utf8->allow_nonref->canonical;
my %FLAG = map { $_ => 1 } qw(no_sign no_seal no_follow enveloped dry chunked gzip show wrap_base64);

sub php    { return $ENV{MNET_TEST_PHP}    || 'php' }
sub python { return $ENV{MNET_TEST_PYTHON} || 'python3' }

# Where everything was installed (make test says so), what is missing fails the test: it is not skipped.
sub lacking {
    my ($why) = @_;
    die "$why\n" if defined $why && $ENV{MNET_TEST_WHOLE};
    return $why;
}

# Why client.py cannot run; undef if it can.
sub python_missing {
    my $python = python();
    my $said = `$python -c 'import xmlrpc.client, json, subprocess; print("yes")' 2>/dev/null`;
    return lacking($said && $said eq "yes\n" ? undef : 'there is no python3');
}

# Why it cannot run here; undef if it can.
sub missing { return lacking(php_missing()) }

sub php_missing {
    my $php = php();
    my $said = `$php -r 'echo implode(" ", array_map("strtolower", get_loaded_extensions()));' 2>/dev/null`;
    return 'there is no php-cli' if $? != 0 || !$said;
    my %loaded = map { $_ => 1 } split ' ', $said;
    for my $needed (qw(openssl simplexml xml json)) {
        return "php has no extension $needed" if !$loaded{$needed};
    }
    local $ENV{OPENSSL_CONF} = "$HERE/openssl-legacy.cnf";
    my $rc4 = `$php -r 'echo in_array("rc4", openssl_get_cipher_methods()) ? 1 : 0;' 2>/dev/null`;
    return "OpenSSL's legacy provider is not installed" if ($rc4 || '') ne '1';
    return undef;
}

sub free_port {
    my $socket = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Proto => 'tcp', Listen => 1)
        or die "no free port: $!";
    return $socket->sockport;
}

sub start {
    my ($class, %o) = @_;
    my $self = bless { style => $o{style} || 'moodle', owner => $$, pids => [],
        dir => tempdir('mnet-peer-XXXXXX', TMPDIR => 1, CLEANUP => 1) }, $class;
    chmod 0755, $self->{dir}; # httpd's User reads the CA of its TLS; keys are 0600
    for my $attempt (1 .. 3) {
        my $port = free_port();
        my $front = $o{tls} ? free_port() : $port;
        $self->{wwwroot} = $o{wwwroot} || ($o{tls} ? 'https' : 'http') . "://127.0.0.1:$front" . ($o{path} || '');
        $self->{port} = $port;
        my %key = map { exists $o{$_} ? ($_ => $o{$_}) : () } qw(name bits cn alt days);
        $self->admin('create', $self->{style}, $self->{wwwroot}, $JSON->encode(\%key));
        $self->spawn($port, php(), '-d', 'variables_order=EGPCS', '-S', "127.0.0.1:$port",
            "$HERE/server.php");
        $self->spawn($front, php(), "$HERE/tls.php", $front, $port, $self->ca_file) if $o{tls};
        return $self if (grep { $_ } map { $self->answers($_) } $port, $front) == 2;
        $self->stop;
    }
    die "the PHP peer did not start; see $self->{dir}/server.log";
}

# The same peer under php-fpm, behind an httpd of the caller's: wwwroot => that httpd's URL, workers => N.
# fpm_config is for its configuration (mod_proxy and mod_proxy_fcgi).
sub start_fpm {
    my ($class, %o) = @_;
    my $fpm = fpm_binary() or die 'there is no php-fpm';
    my $self = bless { style => $o{style} || 'moodle', owner => $$, pids => [], wwwroot => $o{wwwroot},
        dir => tempdir('mnet-peer-XXXXXX', TMPDIR => 1, CLEANUP => 1) }, $class;
    chmod 0755, $self->{dir};
    $self->admin('create', $self->{style}, $self->{wwwroot}, '{}');
    my $conf = "$self->{dir}/fpm.conf";
    my $workers = $o{workers} || 2;
    open my $out, '>', $conf or die "$conf: $!";
    print $out <<"CONF";
[global]
error_log = $self->{dir}/server.log
daemonize = no
[peer]
@{[$> == 0 ? "user = root\ngroup = root" : '']}
listen = $self->{dir}/fpm.sock
listen.mode = 0666
pm = static
pm.max_children = $workers
clear_env = no
CONF
    close $out or die "$conf: $!";
    $self->spawn(0, $fpm, '-F', '-y', $conf, $> == 0 ? '-R' : ());
    for (1 .. 200) {
        return $self if -S "$self->{dir}/fpm.sock";
        sleep 0.05;
    }
    die "php-fpm did not start; see $self->{dir}/server.log";
}

sub fpm_binary {
    my ($version) = grep { $_ } map { chomp; $_ } qx(@{[php()]} -r 'echo PHP_MAJOR_VERSION.".".PHP_MINOR_VERSION;' 2>/dev/null);
    my ($found) = grep { -x } map { ("$_/php-fpm" . ($version // ''), "$_/php-fpm") } qw(/usr/sbin /usr/local/sbin);
    return $found;
}

sub fpm_config {
    my ($self) = @_;
    return join '', map { <<"CONF" } '/mnet/xmlrpc/server.php', '/api/xmlrpc/server.php', '/mnet/publickey.php';
<Location "$_">
    SetHandler "proxy:unix:$self->{dir}/fpm.sock|fcgi://peer"
    ProxyFCGISetEnvIf "true" SCRIPT_FILENAME "$HERE/server.php"
    Require all granted
</Location>
CONF
}

sub spawn {
    my ($self, $port, @command) = @_;
    pipe my $lifeline, my $hold or die "pipe: $!";
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        close $hold;
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
        POSIX::setsid(); # its workers are of its group: they are stopped with it
        # Should the test be killed, the lifeline ends, and with it the group.
        if ((fork // 1) == 0) {
            open STDIN, '<&', $lifeline;
            exec 'sh', '-c', 'read x; kill -TERM 0' or POSIX::_exit(127);
        }
        close $lifeline;
        open STDIN, '<', '/dev/null';
        open STDOUT, '>>', "$self->{dir}/server.log";
        open STDERR, '>&', \*STDOUT;
        chdir $HERE;
        $ENV{OPENSSL_CONF} = "$HERE/openssl-legacy.cnf";
        $ENV{MNET_PEER_STATE} = $self->{dir};
        $ENV{PHP_CLI_SERVER_WORKERS} = 6;
        exec @command or POSIX::_exit(127);
    }
    close $lifeline;
    push @{ $self->{pids} }, $pid;
    push @{ $self->{holds} }, $hold;
    return;
}

sub answers {
    my ($self, $port) = @_;
    for my $wait (1 .. 200) {
        return 0 if grep { waitpid($_, WNOHANG) != 0 } @{ $self->{pids} };
        return 1 if IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port", Timeout => 1);
        sleep 0.05;
    }
    return 0;
}

sub stop {
    my ($self) = @_;
    for my $pid (splice @{ $self->{pids} }) {
        kill 'TERM', -$pid;
        my $until = time + 5;
        while (waitpid($pid, WNOHANG) == 0) {
            kill 'KILL', -$pid if time > $until;
            sleep 0.02;
        }
    }
    $self->{holds} = [];
    return;
}

sub DESTROY {
    my ($self) = @_;
    local ($?, $@, $!);
    $self->stop if $self->{owner} == $$;
    return;
}

# Starts it again on its port (after stop), e.g. to be down for a while.
sub restart {
    my ($self) = @_;
    $self->stop;
    $self->spawn($self->{port}, php(), '-S', "127.0.0.1:$self->{port}", "$HERE/server.php");
    return $self->answers($self->{port});
}

sub run {
    my ($self, $script, $input, @arguments) = @_;
    local $ENV{OPENSSL_CONF} = "$HERE/openssl-legacy.cnf";
    my @command = ($script =~ /\.py$/ ? python() : php(), "$HERE/$script", @arguments);
    my $in = "$self->{dir}/stdin.$$";
    open my $to, '>:raw', $in or die "$in: $!";
    print $to $input // '';
    close $to;
    my $pid = open(my $from, '-|') // die "fork: $!";
    if ($pid == 0) {
        open STDIN, '<', $in;
        exec @command or POSIX::_exit(127);
    }
    binmode $from;
    local $/;
    my $out = <$from>;
    close $from;
    $self->{exit} = $? >> 8;
    return $out;
}

sub admin {
    my ($self, @arguments) = @_;
    my $out = $self->run('admin.php', '', $self->{dir}, @arguments);
    die "admin.php @arguments[0 .. 0]: exit $self->{exit}" if $self->{exit};
    return $out;
}

sub wwwroot     { return $_[0]{wwwroot} }
sub dir         { return $_[0]{dir} }
sub style       { return $_[0]{style} }
sub application { return $_[0]{style} eq 'mahara' ? 'mahara' : 'moodle' }
sub ca_file     { return "$_[0]{dir}/tls.pem" }
sub pem         { return $_[0]->admin('certificate') }
sub rotate      { my ($self, %o) = @_; $self->admin('rotate', $JSON->encode(\%o)); return }
sub set         { my ($self, %o) = @_; $self->admin('set', $JSON->encode(\%o)); return }
sub change      { my ($self, %o) = @_; $self->admin('change', $JSON->encode(\%o)); return }
sub state       { return $JSON->decode($_[0]->admin('show')) }

sub answer {
    my ($self, $method, $value) = @_;
    $self->run('admin.php', $JSON->encode($value), $self->{dir}, 'answer', $method, '-');
    die "admin.php answer: exit $self->{exit}" if $self->{exit};
    return;
}

# --- single sign-on ------------------------------------------------------------------------------

sub user {
    my ($self, $name, %profile) = @_;
    $self->run('admin.php', $JSON->encode(\%profile), $self->{dir}, 'user', $name, '-');
    die "admin.php user: exit $self->{exit}" if $self->{exit};
    return $self;
}

sub escape {
    my ($text) = @_;
    utf8::encode($text) if utf8::is_utf8($text);
    $text =~ s{([^A-Za-z0-9._~-])}{sprintf '%%%02X', ord $1}ge;
    return $text;
}

sub login_url { return "$_[0]{wwwroot}/login/index.php" }

sub jump_url {
    my ($self, $to, $wants) = @_;
    return $self->{wwwroot} . ($self->application eq 'mahara' ? '/auth/xmlrpc/jump.php?ins=1&wr='
        : '/auth/mnet/jump.php?hostwwwroot=') . escape($to) . (defined $wants ? '&wantsurl=' . escape($wants) : '');
}

sub land_url {
    my ($self, %query) = @_;
    return $self->{wwwroot} . ($self->application eq 'mahara' ? '/auth/xmlrpc' : '/auth/mnet') . '/land.php?'
        . join '&', map { "$_=" . escape($query{$_}) } sort keys %query;
}

sub enter {
    my ($self, $browser, $name) = @_;
    my $got = $browser->post($self->login_url, 'username=' . escape($name),
        'Content-Type' => 'application/x-www-form-urlencoded');
    die "$name is no user of $self->{wwwroot}" if $got->{status} != 302;
    return $got;
}

sub sign_on { return $_[0]->state->{sso} || {} }

sub arrived {
    my ($self, $name, $idp) = @_;
    return $self->sign_on->{arrived}{"$name\@$idp"};
}

sub work_portfolio {
    my ($self) = @_;
    return $JSON->decode($self->run('portfolio.php', '', $self->{dir}));
}

sub received { return @{ $_[0]->state->{received} || [] } }

# One lie, for the next request only.
sub lie_once {
    my ($self, $lie) = @_;
    $self->set(lie => { value => $lie, times => 1 });
    return;
}

sub pem_file {
    my ($self) = @_;
    my $file = "$self->{dir}/certificate.pem";
    open my $out, '>', $file or die "$file: $!";
    print $out $self->pem;
    close $out or die "$file: $!";
    return $file;
}

sub section {
    my ($self, %extra) = @_;
    my %lines = (MnetPeerApplication => $self->application, MnetPeerCertificate => $self->pem_file,
        MnetPublish => 'sso_idp sso_sp', MnetSubscribe => 'sso_idp sso_sp test=test/*',
        ($self->{wwwroot} =~ /^https/ ? (MnetPeerTLS => $self->ca_file) : ()), %extra);
    return qq(<MnetPeer "$self->{wwwroot}">\n)
        . join('', map { defined $lines{$_} ? "    $_ $lines{$_}\n" : () } sort keys %lines)
        . "</MnetPeer>\n";
}

sub trust {
    my ($self, $wwwroot, $pem, $application) = @_;
    my $file = "$self->{dir}/trust.pem";
    open my $out, '>', $file or die "$file: $!";
    print $out $pem;
    close $out or die "$file: $!";
    $self->admin('trust', $wwwroot, $file, $application || 'moodle');
    return;
}

sub learn {
    my ($self, $wwwroot, $application, %o) = @_;
    my $said = $self->call($wwwroot, 'keyswap', [], application => $application || 'moodle', %o);
    die "keyswap with $wwwroot failed" if ref $said ne 'HASH' || !$said->{result};
    $self->trust($wwwroot, $said->{result}, $application);
    return $said->{result};
}

sub arguments {
    my ($self, $to, $method, %o) = @_;
    my @arguments = ('--state', $self->{dir}, '--to', $to);
    for my $name (sort keys %o) {
        (my $option = "--$name") =~ tr/_/-/;
        if ($FLAG{$name}) {
            push @arguments, $option if $o{$name};
        } elsif (ref $o{$name}) {
            push @arguments, map { ($option, $_) } @{ $o{$name} };
        } elsif (defined $o{$name}) {
            push @arguments, $option, $o{$name};
        }
    }
    return (@arguments, $method, '-');
}

# With repeat => N: a list of N replies.
sub call {
    my ($self, $to, $method, $params, %o) = @_;
    my $out = $self->run('client.php', $JSON->encode($params || []), $self->arguments($to, $method, %o));
    my @replies = map { eval { $JSON->decode($_) } || { error => { kind => 'peer', text => "not JSON: $_" } } }
        split /\n/, $out;
    return $o{repeat} || $method eq 'many' ? @replies : $replies[0] || { error => { kind => 'peer', text => 'no output' } };
}

# The same with Python's XML-RPC ("python" in the reply is what it makes of the answer).
sub call_python {
    my ($self, $to, $method, $params, %o) = @_;
    my @encoding = $o{encoding} ? ('--encoding', delete $o{encoding}) : ();
    my $out = $self->run('client.py', $JSON->encode($params || []), @encoding,
        $self->arguments($to, $method, %o));
    return eval { $JSON->decode($out) } || { error => { kind => 'peer', text => "not JSON: $out" } };
}

sub body {
    my ($self, $to, $method, $params, %o) = @_;
    my $out = $self->run('client.php', $JSON->encode($params || []),
        $self->arguments($to, $method, %o, dry => 1));
    die "no body: $out" if $self->{exit};
    return $out;
}

# What it was sent, oldest first.
sub requests {
    my ($self) = @_;
    open my $in, '<:raw', "$self->{dir}/requests.log" or return ();
    return map { $JSON->decode($_) } <$in>;
}

# How many there were, or how many of a method (a site also asks on its own, now and then).
sub heard {
    my ($self, $method) = @_;
    my @requests = grep { !defined $method || ($_->{method} // '') eq $method } $self->requests;
    return scalar @requests;
}

sub forget_requests {
    my ($self) = @_;
    unlink "$self->{dir}/requests.log";
    return;
}

# The kinds of bad padding that client.php --padding knows.
sub paddings {
    my ($self) = @_;
    return split /\n/, $self->run('client.php', '', '--padding', 'list');
}

1;
