# SPDX-License-Identifier: Apache-2.0
package Mnet::Backend;

# A local application for MnetBackend, on a free port of 127.0.0.1 or on a UNIX socket, stopped when
# the object goes.
#
#   my $b = Mnet::Backend->start('php');                    # t/backends/school.php by php -S;
#                                    # script => 'intake.php': that one instead
#   my $b = Mnet::Backend->start('python', unix => 1);      # school.py
#   my $b = Mnet::Backend->start('node');                   # school.mjs, JSON-RPC
#   my $b = Mnet::Backend->start('bench');                  # t/bench/app.c, which costs nothing
#   my $b = Mnet::Backend->rude(sub { my ($socket, $head, $body) = @_; ... });   # answers as it likes;
#                                    # true: the connection stays for another request
#   $b->url, $b->port, $b->stop, $b->restart
#   $b->heard                        # of a rude one: the heads of the requests that came
#   $b->missing, Mnet::Backend->missing('node')  why it cannot run here

use strict;
use warnings;
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use IO::Socket::INET;
use IO::Socket::UNIX;
use POSIX qw(WNOHANG);
use Time::HiRes qw(sleep time);

use Mnet::Harness;
use Mnet::PhpPeer;

my $HERE = abs_path(dirname(__FILE__) . '/../../backends');

sub missing {
    my ($class, $kind) = @_;
    return Mnet::PhpPeer->missing if $kind eq 'php';
    return Mnet::PhpPeer->python_missing if $kind eq 'python';
    my $said = qx(node --version 2>/dev/null) || '';
    return Mnet::PhpPeer::lacking($said =~ /^v(\d+)/ && $1 >= 16 ? undef : 'there is no node');
}

sub start {
    my ($class, $kind, %o) = @_;
    my $self = bless { kind => $kind, script => $o{script}, owner => $$, dir => tempdir('mnet-app-XXXXXX', TMPDIR => 1, CLEANUP => 1) }, $class;
    chmod 0755, $self->{dir};
    $self->{socket} = "$self->{dir}/app.sock" if $o{unix};
    $self->{port} = Mnet::PhpPeer::free_port();
    $self->restart;
    return $self;
}

sub restart {
    my ($self) = @_;
    my $where = $self->{socket} // $self->{port};
    unlink $self->{socket} if $self->{socket};
    my %command = (
        php => [Mnet::PhpPeer::php(), '-d', 'opcache.enable_cli=1', '-S', "127.0.0.1:$self->{port}",
            "$HERE/" . ($self->{script} // 'school.php')],
        python => [Mnet::PhpPeer::python(), "$HERE/school.py", $where],
        node => ['node', "$HERE/school.mjs", $where],
        bench => [Mnet::Harness::build() . '/bench/app', $where]);
    $self->run($self->{answer} ? $self->{answer} : @{ $command{ $self->{kind} } });
    my $until = time + 20;
    until ($self->listens) {
        die "the application did not start: " . Mnet::Harness::slurp("$self->{dir}/log") if time > $until
            || waitpid($self->{pid}, WNOHANG) != 0;
        sleep 0.02;
    }
    return;
}

sub listens {
    my ($self) = @_;
    return $self->{socket} ? IO::Socket::UNIX->new(Peer => $self->{socket})
        : IO::Socket::INET->new(PeerAddr => "127.0.0.1:$self->{port}", Timeout => 1);
}

sub run {
    my ($self, @command) = @_;
    pipe my $lifeline, my $hold or die "pipe: $!";
    my $listener;
    if (ref $command[0]) {
        $listener = $self->{socket} ? IO::Socket::UNIX->new(Local => $self->{socket}, Listen => 64)
            : IO::Socket::INET->new(LocalAddr => "127.0.0.1:$self->{port}", Listen => 64, ReuseAddr => 1);
        die "listen: $!" if !$listener;
        chmod 0666, $self->{socket} if $self->{socket};
    }
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        close $hold;
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
        POSIX::setsid();
        if ((fork // 1) == 0) {
            open STDIN, '<&', $lifeline;
            exec 'sh', '-c', 'read x; kill -TERM 0' or POSIX::_exit(127);
        }
        open STDIN, '<&', $lifeline;
        close $lifeline;
        open STDOUT, '>>', "$self->{dir}/log";
        open STDERR, '>&', \*STDOUT;
        $ENV{PHP_CLI_SERVER_WORKERS} = 4;
        if (ref $command[0]) {
            serve($self, $listener, $command[0]);
            POSIX::_exit(0);
        }
        exec @command or POSIX::_exit(127);
    }
    close $lifeline;
    @$self{qw(pid hold)} = ($pid, $hold);
    return;
}

# --- one that answers as it likes ----------------------------------------------------------------

sub rude {
    my ($class, $answer, %o) = @_;
    my $self = bless { kind => 'rude', owner => $$, answer => $answer,
        dir => tempdir('mnet-app-XXXXXX', TMPDIR => 1, CLEANUP => 1) }, $class;
    chmod 0755, $self->{dir};
    $self->{socket} = "$self->{dir}/app.sock" if $o{unix};
    $self->{port} = Mnet::PhpPeer::free_port();
    $self->restart;
    return $self;
}

sub serve {
    my ($self, $listener, $answer) = @_;
    $SIG{CHLD} = 'IGNORE';
    while (1) {
        my $socket = $listener->accept or next;
        my $pid = fork;
        next if !defined $pid || $pid;
        $SIG{PIPE} = 'IGNORE';
        $socket->autoflush(1);
        while (my ($head, $body) = request($socket)) {
            open my $log, '>>', "$self->{dir}/heard";
            print {$log} $head =~ s/\r?\n/\n/gr . "\n\n";
            close $log;
            last if !$answer->($socket, $head, $body);
        }
        close $socket;
        POSIX::_exit(0);
    }
    return;
}

sub request {
    my ($socket) = @_;
    my $got = '';
    until ($got =~ /\r\n\r\n/) {
        sysread $socket, $got, 65536, length $got or return;
    }
    my ($head, $body) = split /\r\n\r\n/, $got, 2;
    my ($length) = $head =~ /^Content-Length:\s*(\d+)/mi;
    while (length($body) < ($length || 0)) {
        sysread $socket, $body, 65536, length $body or return;
    }
    return ($head, $body);
}

# A whole answer, for the functions of rude ones.
sub answer {
    my ($body, %o) = @_;
    return 'HTTP/1.1 ' . ($o{status} // '200 OK') . "\r\nContent-Type: " . ($o{type} // 'text/xml') . "\r\n"
        . ($o{headers} // '') . 'Content-Length: ' . ($o{length} // length $body) . "\r\n\r\n$body";
}

sub response {
    my ($value) = @_;
    return "<?xml version=\"1.0\"?><methodResponse><params><param><value>$value</value></param></params></methodResponse>";
}

sub heard {
    my ($self) = @_;
    return grep { /\S/ } split /\n\n/, Mnet::Harness::slurp("$self->{dir}/heard");
}

sub forget { unlink "$_[0]{dir}/heard"; return }

# --- names, the end ------------------------------------------------------------------------------

sub port { return $_[0]{port} }

sub url {
    my ($self, $path) = @_;
    $path //= '/mnet';
    return $self->{socket} ? "unix:$self->{socket}|http://app.local$path" : "http://127.0.0.1:$self->{port}$path";
}

sub stop {
    my ($self) = @_;
    my $pid = delete $self->{pid} or return;
    kill 'TERM', -$pid;
    my $until = time + 5;
    while (waitpid($pid, WNOHANG) == 0) {
        kill 'KILL', -$pid if time > $until;
        sleep 0.02;
    }
    delete $self->{hold};
    return;
}

sub DESTROY {
    my ($self) = @_;
    local ($?, $@, $!);
    $self->stop if $self->{owner} == $$;
    return;
}

1;
