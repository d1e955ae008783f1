# SPDX-License-Identifier: Apache-2.0
package Mnet::Harness;

# A real httpd with mod_mnet on free ports of 127.0.0.1, in a ServerRoot of its own that is removed
# at the end (KEEP=1 keeps it).  Whatever was started is stopped, by its pid, when the object goes.
#
#   my $h = Mnet::Harness->new(
#       mpm => 'event',            # worker, prefork; default: MNET_TEST_MPM, or event
#       sites => 2,                # virtual hosts with MnetEngine On, each its own port (default 1)
#       path => '/moodle',         # of their wwwroots (default none)
#       modules => [qw(rewrite)],  # besides those every test has
#       tls => 1,                  # https, with a certificate of its own: $h->ca_file
#       certificate => 1,          # that certificate (conf/tls.pem, conf/tls.key), and no more
#       wwwroots => [...],         # of the sites, where they are not the addresses listened on
#       log_level => 'info',
#       config => $text,           # in the main server, before the virtual hosts; so that the
#                                  # virtual hosts inherit its Mnet directives
#       site_config => sub { my ($h, $i) = @_; ... },   # or text: inside each virtual host
#       extra => $text);           # after the virtual hosts
#   Each text may be sub { my ($h) = @_; ... }, called when the ports are known.
#
#   $h->start; $h->stop; $h->graceful; $h->kill9;     start dies with the log if nothing listens
#                                                     graceful(at_once => 1): while those of before listen
#   $h->pid, $h->children                             of the parent; of its child processes
#   $h->port($i), $h->url($i, $path), $h->wwwroot($i), $h->root, $h->htdocs($i), $h->state_dir
#   $h->error_log, $h->clear_log                      the text since the start or clear_log
#   $h->wait_log(qr/.../, $seconds)                   1 once a line is there
#   Mnet::Harness::wait_for(sub { ... }, $seconds)    what it answers, once true or (10) seconds over
#   $h->mine($name, $text)                            writes a file of the test's own; its path
#   $h->expect_log(qr/.../, ...)                      lines that the gate below lets pass
#   $h->configure(config => ..., ...)                 writes another configuration, changes nothing else
#   my ($exit, $output) = $h->configtest;
#   $h->mnetctl(@args)                                { exit, out, err }
#   $h->http($method, $url, \%headers, $body)         { status, headers, content }
#   $h->raw($port, $bytes, %o)                        what came back until the server closed, or
#                                                     `wait` seconds (10) of silence; `shut` => 1
#                                                     closes our side after the bytes
#
# The gate: at the end, a line of level error or worse, a dead child, or a sanitizer's report that
# was not announced by expect_log fails the test.

use strict;
use warnings;
use Cwd qw(abs_path);
use Errno ();
use File::Basename qw(dirname);
use File::Path qw(make_path);
use File::Temp ();
use HTTP::Tiny;
use IO::Select;
use IO::Socket::INET;
use POSIX qw(WNOHANG);
use Scalar::Util qw(weaken);
use Test::More ();
use Time::HiRes qw(sleep time);

my $TREE = abs_path(dirname(__FILE__) . '/../../..');
my $MAIN = $$;
my (@all, $failed, %apxs);

$SIG{$_} ||= sub { exit 130 } for qw(INT TERM HUP);

# --- what is installed ---------------------------------------------------------------------------

sub apxs {
    my ($what) = @_;
    my $apxs = $ENV{APXS} || 'apxs';
    return $apxs{$what} //= do { my $said = qx($apxs -q $what 2>/dev/null); chomp $said; $said };
}

sub httpd {
    return $ENV{HTTPD} if $ENV{HTTPD};
    my ($dir, $name) = (apxs('SBINDIR') || '/usr/sbin', apxs('PROGNAME') || 'apache2');
    for my $file ("$dir/$name", '/usr/sbin/apache2', '/usr/sbin/httpd') {
        return $file if -x $file;
    }
    die 'no httpd is installed: install apache2 and apache2-dev';
}

sub modules_dir {
    return apxs('LIBEXECDIR') || '/usr/lib/apache2/modules';
}

sub build {
    my $build = $ENV{MNET_BUILD} // 'build';
    return $build =~ m{^/} ? $build : "$TREE/$build";
}

# --- making one ----------------------------------------------------------------------------------

sub new {
    my ($class, %o) = @_;
    my $self = bless {
        sites => 1, path => '', modules => [], log_level => 'info', expected => [], %o,
        root => File::Temp::tempdir('mnet-XXXXXXXX', TMPDIR => 1),
    }, $class;
    $self->{mpm} //= $ENV{MNET_TEST_MPM} || 'event';
    chmod 0755, $self->{root};
    $self->{ports} = [free_ports($self->{sites})];
    make_path("$self->{root}/$_") for qw(conf logs run), map { "htdocs$_" } 0 .. $self->{sites} - 1;
    push @all, $self;
    weaken($all[-1]);
    $self->make_tls if $self->{tls} || $self->{certificate};
    $self->configure;
    return $self;
}

# A certificate for the loopback's address.
sub make_tls {
    my ($self) = @_;
    my $base = "$self->{root}/conf/tls";
    my $said = qx(openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 -keyout $base.key -out $base.pem 2>&1);
    die "openssl: $said" if $?;
    push @{ $self->{modules} }, 'ssl';
    return;
}

# All held at once, so that no port is found twice.
sub free_ports {
    my ($count) = @_;
    my @held = map {
        IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 1, ReuseAddr => 1)
            or die "no free port: $!"
    } 1 .. $count;
    return map { $_->sockport } @held;
}

sub text {
    my ($self, $what, @more) = @_;
    return '' if !defined $what;
    return ref $what eq 'CODE' ? $what->($self, @more) : ref $what eq 'ARRAY' ? $what->[$more[0]] : $what;
}

sub load_modules {
    my ($self) = @_;
    my ($dir, $built_in) = (modules_dir(), $self->built_in);
    my %seen;
    my @names = ("mpm_$self->{mpm}", qw(unixd authn_core authz_core log_config watchdog), @{ $self->{modules} });
    my $text = '';
    for my $name (grep { !$seen{$_}++ } @names) {
        next if $built_in->{$name};
        die "there is no $dir/mod_$name.so" if !-e "$dir/mod_$name.so";
        $text .= "LoadModule ${name}_module $dir/mod_$name.so\n";
    }
    return $text . 'LoadModule mnet_module ' . build() . "/mod_mnet.so\n";
}

my $built_in;

sub built_in {
    my $httpd = httpd();
    return $built_in ||= { map { /^\s+(?:mod_)?(\w+)\.c$/ ? ($1 => 1) : () } qx($httpd -l) };
}

sub tuning {
    my ($self) = @_;
    return "StartServers 2\nMinSpareServers 2\nMaxSpareServers 4\nServerLimit 16\nMaxRequestWorkers 16\n"
        if $self->{mpm} eq 'prefork';
    return "StartServers 2\nServerLimit 4\nThreadsPerChild 8\nMinSpareThreads 8\nMaxSpareThreads 32\n"
        . "MaxRequestWorkers 32\n";
}

sub site_text {
    my ($self, $i) = @_;
    my $mnet = $self->{bare} ? '' : "MnetEngine On\nMnetWwwroot " . $self->wwwroot($i) . "\n";
    $mnet .= 'SSLEngine On' . "\nSSLCertificateFile conf/tls.pem\nSSLCertificateKeyFile conf/tls.key\n" if $self->{tls};
    return "<VirtualHost 127.0.0.1:$self->{ports}[$i]>\nServerName 127.0.0.1\n"
        . 'DocumentRoot "' . $self->htdocs($i) . "\"\n$mnet" . $self->text($self->{site_config}, $i) . "\n</VirtualHost>\n";
}

sub configure {
    my ($self, %o) = @_;
    $self->{$_} = $o{$_} for keys %o;
    my $root = $self->{root};
    my $user = $> == 0 ? "User www-data\nGroup www-data\n" : '';
    my $text = $self->load_modules . <<"CONF" . $self->tuning;
ServerRoot "$root"
ServerName 127.0.0.1
DefaultRuntimeDir "$root/run"
PidFile "$root/run/httpd.pid"
ErrorLog "$root/logs/error.log"
LogLevel $self->{log_level}
Timeout 20
KeepAliveTimeout 3
$user<Directory "/">
    AllowOverride None
</Directory>
<IfModule mime_module>
    TypesConfig /dev/null
</IfModule>
MnetStateDir "$root/state"
CONF
    $text .= "Listen 127.0.0.1:$_\n" for @{ $self->{ports} };
    $text .= $self->text($self->{config}) . "\n";
    $text .= $self->site_text($_) for 0 .. $self->{sites} - 1;
    $text .= $self->text($self->{extra}) . "\n";
    write_file($self->conf_file, $text);
    return $self;
}

sub write_file {
    my ($name, $text) = @_;
    open my $out, '>:raw', $name or die "$name: $!";
    print {$out} $text;
    close $out or die "$name: $!";
    return;
}

# A file of a test's own: its path.
sub mine {
    my ($self, $name, $text) = @_;
    my $folder = $self->root . '/mine';
    mkdir $folder;
    write_file("$folder/$name", $text);
    return "$folder/$name";
}

# What it answers, once that is true or the time is over.
sub wait_for {
    my ($what, $seconds) = @_;
    my $until = time + ($seconds // 10);
    while (1) {
        my $got = $what->();
        return $got if $got || time > $until;
        sleep 0.02;
    }
}

# --- names ---------------------------------------------------------------------------------------

sub root      { return $_[0]{root} }
sub conf_file { return "$_[0]{root}/conf/httpd.conf" }
sub state_dir { return "$_[0]{root}/state" }
sub ca_file   { return "$_[0]{root}/conf/tls.pem" }
sub htdocs    { return "$_[0]{root}/htdocs" . ($_[1] // 0) }
sub pid       { return $_[0]{pid} }

sub port {
    my ($self, $i) = @_;
    return $self->{ports}[$i // 0];
}

sub url {
    my ($self, $i, $path) = @_;
    return ($self->{tls} ? 'https' : 'http') . '://127.0.0.1:' . $self->port($i) . ($path // '');
}

sub wwwroot {
    my ($self, $i) = @_;
    return $self->{wwwroots} ? $self->{wwwroots}[$i // 0] : $self->url($i) . $self->{path};
}

# --- starting and stopping -----------------------------------------------------------------------

# The sanitizer's library must come before httpd's own.
sub sanitizer {
    my ($self) = @_;
    return () if !$ENV{MNET_ASAN};
    my $lib = qx(gcc -print-file-name=libasan.so);
    chomp $lib;
    return (LD_PRELOAD => abs_path($lib), ASAN_OPTIONS => 'detect_leaks=0:abort_on_error=0',
        UBSAN_OPTIONS => 'print_stacktrace=1');
}

# Runs a command with its output in files; the pid.
sub spawn {
    my ($self, $out, $err, @command) = @_;
    my $pid = fork // die "fork: $!";
    return $pid if $pid;
    $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
    # httpd signals its whole process group: that must not be ours.
    setpgrp 0, 0;
    open STDIN, '<', '/dev/null';
    open STDOUT, '>>', $out or POSIX::_exit(126);
    open STDERR, '>>', $err or POSIX::_exit(126);
    my %env = $self->sanitizer;
    @ENV{ keys %env } = values %env;
    exec @command or POSIX::_exit(127);
}

sub start {
    my ($self) = @_;
    die 'it runs already' if $self->{pid};
    my $stderr = "$self->{root}/logs/stderr.log";
    $self->{pid} = $self->spawn($stderr, $stderr, httpd(), '-d', $self->{root}, '-f', $self->conf_file, '-DFOREGROUND');
    $self->{started} = 0;
    my $until = time + ($ENV{MNET_ASAN} ? 60 : 20);
    until ($self->listens && $self->resumed > 0) {
        if (waitpid($self->{pid}, WNOHANG) == $self->{pid}) {
            delete $self->{pid};
            die "httpd ended at its start:\n" . $self->all_logs;
        }
        die "httpd does not listen:\n" . $self->all_logs if time > $until;
        sleep 0.02;
    }
    return $self;
}

sub all_logs {
    my ($self) = @_;
    return slurp("$self->{root}/logs/stderr.log") . slurp("$self->{root}/logs/error.log");
}

sub slurp {
    my ($name) = @_;
    open my $in, '<:raw', $name or return '';
    local $/;
    return <$in> // '';
}

sub listens {
    my ($self) = @_;
    for my $port (@{ $self->{ports} }) {
        IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Timeout => 1) or return 0;
    }
    return 1;
}

# How many generations have begun since the start.
sub resumed {
    my ($self) = @_;
    my $log = slurp("$self->{root}/logs/error.log");
    my $count = () = $log =~ /resuming normal operations/g;
    return $count - ($self->{resumed_before} || 0);
}

sub graceful {
    my ($self, %o) = @_;
    my $before = $self->resumed;
    my @old = $self->children;
    kill 'USR1', $self->{pid} or die "kill: $!";
    my $until = time + 30;
    until ($self->resumed > $before) {
        if (waitpid($self->{pid}, WNOHANG) == $self->{pid}) {
            delete $self->{pid};
            die "httpd ended at a graceful restart:\n" . $self->all_logs;
        }
        die "httpd did not restart:\n" . $self->all_logs if time > $until;
        sleep 0.02;
    }
    # Those of before may still take a connection, until they have closed what they listen on.
    my %listening = map { $_ => 1 } sockets($self->{pid});
    $until = time + ($o{at_once} ? 0 : 10);
    sleep 0.01 while time < $until && grep { $listening{$_} } map { sockets($_) } @old;
    return $self;
}

sub sockets {
    my ($pid) = @_;
    return grep { /^socket:/ } map { readlink // () } glob "/proc/$pid/fd/*";
}

sub children {
    my ($self) = @_;
    my @children;
    for my $file (glob '/proc/[0-9]*/stat') {
        push @children, $1 if slurp($file) =~ /\A(\d+) \(.*\) \S (\d+)/s && $2 == ($self->{pid} || -1);
    }
    return sort { $a <=> $b } @children;
}

# Its end, or undef after so many seconds.
sub reap {
    my ($self, $seconds) = @_;
    my $until = time + $seconds;
    while (time < $until) {
        return 1 if waitpid($self->{pid}, WNOHANG) != 0;
        sleep 0.01;
    }
    return;
}

# Waits until our connections are closed, a second at most.  httpd's event MPM, with us in it or not,
# sometimes crashes when it is stopped in the moment after an answer.
sub settle {
    my ($self) = @_;
    my $until = time + 1;
    # Sockets of the children besides those that listen.  (/proc/net/tcp would say it better, and takes
    # seconds to read where thousands of connections have just ended.)
    my $listeners = @{ $self->{ports} };
    while (time < $until) {
        last if !grep { sockets($_) > $listeners } $self->children;
        sleep 0.005;
    }
    sleep 0.01;
    return;
}

sub halt {
    my ($self) = @_;
    return if !$self->{pid};
    $self->settle;
    my @children = $self->children;
    kill 'TERM', $self->{pid};
    if (!$self->reap(20)) {
        kill 'KILL', $self->{pid}, @children;
        $self->reap(10);
        push @{ $self->{troubles} }, 'httpd did not stop within 20 seconds';
    }
    $self->{resumed_before} += $self->resumed;
    delete $self->{pid};
    return;
}

sub stop {
    my ($self) = @_;
    $self->halt;
    for my $line ($self->troubles) {
        Test::More::fail('nothing unexpected in the error log');
        Test::More::diag($line);
    }
    return $self;
}

# No goodbye.
sub kill9 {
    my ($self) = @_;
    # Stopped first, so that it starts no other while they are counted.
    kill 'STOP', $self->{pid};
    my @children = $self->children;
    kill 'KILL', $self->{pid}, @children;
    $self->reap(10);
    # They are init's now, which may bury them later: they are gone once their ports are free.
    my $until = time + 10;
    sleep 0.01 while time < $until && grep { !free($_) } @{ $self->{ports} };
    $self->{resumed_before} += $self->resumed;
    delete $self->{pid};
    return $self;
}

# Can somebody listen there?
sub free {
    my ($port) = @_;
    return defined IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $port, Listen => 1, ReuseAddr => 1);
}

# --- the log -------------------------------------------------------------------------------------

sub error_log {
    my ($self) = @_;
    return substr slurp("$self->{root}/logs/error.log"), $self->{log_from} || 0;
}

sub clear_log {
    my ($self) = @_;
    $self->{log_from} = length slurp("$self->{root}/logs/error.log");
    return $self;
}

sub wait_log {
    my ($self, $what, $seconds) = @_;
    return wait_for(sub { $self->error_log =~ $what }, $seconds) ? 1 : 0;
}

sub expect_log {
    my ($self, @what) = @_;
    push @{ $self->{expected} }, @what;
    return $self;
}

sub troubles {
    my ($self) = @_;
    my @troubles = @{ delete $self->{troubles} || [] };
    my $from = $self->{gate_from} || 0;
    my $log = slurp("$self->{root}/logs/error.log");
    my @lines = split /\n/, substr $log, $from;
    push @lines, grep { /Sanitizer|runtime error/ } split /\n/, slurp("$self->{root}/logs/stderr.log") if !$from;
    $self->{gate_from} = length $log;
    for my $line (@lines) {
        # A stop closes connections under their threads: httpd's own, if it comes right after an answer.
        next if $line =~ /Bad file descriptor: AH0(?:0468|3093)/;
        next if $line !~ /\[[\w-]*:(?:error|crit|alert|emerg)\]|AH00052|[Ss]egmentation|AddressSanitizer|runtime error/;
        push @troubles, $line if !grep { $line =~ $_ } @{ $self->{expected} };
    }
    return @troubles;
}

# --- commands ------------------------------------------------------------------------------------

# Runs to its end, 60 seconds at most.
sub run {
    my ($self, @command) = @_;
    my $base = "$self->{root}/logs/run." . ++$self->{runs};
    write_file("$base.$_", '') for qw(out err);
    my $pid = $self->spawn("$base.out", "$base.err", @command);
    my ($until, $exit) = (time + 60);
    while (waitpid($pid, WNOHANG) == 0) {
        if (time > $until) {
            kill 'KILL', $pid;
            waitpid $pid, 0;
            die "@command did not end";
        }
        sleep 0.005;
    }
    $exit = $? & 127 ? 128 + ($? & 127) : $? >> 8;
    my %got = (exit => $exit, out => slurp("$base.out"), err => slurp("$base.err"));
    unlink "$base.out", "$base.err";
    return \%got;
}

sub configtest {
    my ($self) = @_;
    my $got = $self->run(httpd(), '-d', $self->{root}, '-f', $self->conf_file, '-t');
    return ($got->{exit}, $got->{out} . $got->{err});
}

sub mnetctl {
    my ($self, @args) = @_;
    return $self->run(build() . '/mnetctl', '-d', $self->state_dir, @args);
}

# --- HTTP ----------------------------------------------------------------------------------------

sub http {
    my ($self, $method, $url, $headers, $body) = @_;
    my $got = HTTP::Tiny->new(timeout => 30, max_redirect => 0)
        ->request($method, $url, { headers => $headers || {}, defined $body ? (content => $body) : () });
    return { status => $got->{status}, headers => $got->{headers}, content => $got->{content} };
}

sub raw {
    my ($self, $port, $bytes, %o) = @_;
    local $SIG{PIPE} = 'IGNORE';
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Timeout => 5)
        or die "connect: $!";
    my ($got, $select) = ('', IO::Select->new($socket));
    for (my $at = 0; $at < length $bytes;) {
        my $sent = syswrite $socket, $bytes, 65536, $at;
        last if !$sent;
        $at += $sent;
    }
    shutdown $socket, 1 if $o{shut};
    while ($select->can_read($o{wait} // 10)) {
        my $n = sysread $socket, $got, 65536, length $got;
        last if !$n;
    }
    return $got;
}

# --- the end -------------------------------------------------------------------------------------

sub finish {
    my ($self) = @_;
    return if $self->{finished}++ || $$ != $MAIN;
    $self->halt;
    for my $line ($self->troubles) {
        print STDERR "# unexpected in the error log: $line\n";
        $failed = 1;
    }
    if ($ENV{KEEP}) {
        print STDERR "# kept: $self->{root}\n";
    } else {
        File::Path::remove_tree($self->{root}, { safe => 0, error => \my $ignored });
    }
    return;
}

sub DESTROY {
    my ($self) = @_;
    local ($?, $@, $!);
    $self->finish;
    return;
}

END {
    if ($$ == $MAIN) {
        my $exit = $?;
        $_->finish for grep { defined } @all;
        $? = $exit || ($failed ? 1 : 0);
    }
}

1;
